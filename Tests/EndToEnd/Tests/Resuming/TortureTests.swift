import TestSupport
import Testing

extension EndToEndTests {
    /// A short torture test of the real programs; `make torture` runs the long one.
    @Suite
    struct TortureTests {
        /// The test prints its seed. The seed alone does not reproduce a failure, because the timing of the processes
        /// varies, so use the logs.
        @Test func randomKillsLoseNothing() async throws {
            let program = try await run(
                .built("sluice-torture"), ["--kills", "24", "--files", "40"], within: .seconds(600))
            #expect(program.exitStatus == .exited(0), "\(program.transcript)")
            #expect(program.lines(of: .standardOutput).filter { $0 == "violations: 0" }.count == 2)
        }
    }
}
