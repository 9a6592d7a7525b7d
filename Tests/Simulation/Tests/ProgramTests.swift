import Simulator
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5)))
struct ProgramTests {
    private func hash(seed: UInt64) async throws -> String {
        let program = try await run(.built("sluice-simulate"), ["--seed", "\(seed)"])
        let lines = program.lines(of: .standardOutput)
        return try #require(lines.last { $0.hasPrefix("trace hash") }, "\(program.transcript)")
    }

    /// In each process, Swift's hashing uses another random seed. So this test finds a machine or simulator that
    /// depends on the order of a set.
    @Test(arguments: [3, 77, 961])
    func seedIsDeterministicAcrossProcesses(seed: UInt64) async throws {
        let here = Simulation(.drawn(seed: seed))
        here.run()
        let first = try await hash(seed: seed)
        #expect(try await hash(seed: seed) == first)
        #expect(first == "trace hash \(String(here.trace.hash, radix: 16)), \(here.steps) steps")
    }

    @Test(arguments: [["--seeds", "ten"], ["--seed"], ["--canary", "nobody"], ["--sedes", "10"]])
    func unknownValuesAndFlagsAreRefused(arguments: [String]) async throws {
        let program = try await run(.built("sluice-simulate"), arguments)
        #expect(program.exitStatus == .exited(64), "\(program.transcript)")
    }

    @Test func failurePrintsReplayCommand() async throws {
        let program = try await run(
            .built("sluice-simulate"), ["--seeds", "10", "--canary", Canary.acknowledgesEarly.rawValue])
        #expect(program.exitStatus == .exited(1))
        let lines = program.lines(of: .standardOutput)
        #expect(lines.first?.hasPrefix("seed ") == true, "\(program.transcript)")
        #expect(lines.contains { $0.contains("replay: sluice-simulate --seed") })
    }
}
