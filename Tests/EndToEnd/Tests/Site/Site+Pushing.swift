import Foundation
import TestSupport
import Testing

/// Pushes of a file of several parts, slow enough to be interrupted.
extension Site {
    private static let concurrency = 4

    /// Size of a large file in bytes: ten full parts and a shorter eleventh one.
    var largeFileBytes: Int { 10 * partBytes + 4_321 }

    func makeLargeFile(_ name: String = "file", seed: UInt64 = 1) throws -> URL {
        try makeFile(name, bytes: largeFileBytes, seed: seed)
    }

    func push(_ file: URL) -> [String] {
        ["push", file.path(percentEncoded: false), "--part-size", partSize]
    }

    func slowPush(_ file: URL, partsPerSecond: Int = 5) -> [String] {
        push(file) + ["--limit-rate", "\(partsPerSecond * partBytes / 1_000_000)MB/s"]
    }

    /// Pushes a file slowly until four parts are stored, then kills the agent.
    func pushAndKill(_ agent: AgentHandle, _ file: URL) async throws -> AgentRun {
        try await agent.start(slowPush(file)) { program in
            try await program.waitForStoredParts(4)
            program.kill(SIGKILL)
            try await program.waitForExit()
            return AgentRun(program)
        }
    }

    /// Expects that the agent has sent few bytes twice: at most the parts that were in flight at each cut.
    func expectLittleTwice(
        _ runs: [AgentRun], cuts: Int = 1, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let sent = try runs.reduce(0) { $0 + (try $1.summary.bytesSent ?? 0) }
        let bound = largeFileBytes + cuts * Self.concurrency * partBytes
        #expect(sent <= UInt64(bound), sourceLocation: sourceLocation)
    }
}
