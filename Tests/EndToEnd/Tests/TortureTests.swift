import TestSupport
import Testing

extension EndToEndTests {
    /// A short torture of the real programs; `make torture` is the long one.
    @Suite
    struct TortureTests {
        /// Prints a seed; what the processes make of it depends on their speed too, so a failure is looked into by its
        /// logs.
        @Test func nothingIsLostOrMixedUpWhenProcessesAreKilledAtRandom() async throws {
            let program = try await run(
                .built("sluice-torture"), ["--kills", "24", "--files", "40"], within: .seconds(600))
            #expect(program.exitStatus == .exited(0), "\(program.transcript)")
            #expect(program.lines(of: .standardOutput).filter { $0 == "violations: 0" }.count == 2)
        }
    }
}
