import Foundation
import TestSupport
import Testing

/// A file of several parts, pushed slowly enough to be cut in the middle.
extension Site {
    private static let concurrency = 4

    /// Ten parts and a bit.
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

    /// Pushes until some parts are stored and kills the agent there.
    func pushAndKill(_ agent: AgentHandle, _ file: URL) async throws -> AgentRun {
        try await agent.start(slowPush(file)) { program in
            try await program.waitForStoredParts(4)
            program.kill(SIGKILL)
            try await program.waitForExit()
            return AgentRun(program)
        }
    }

    /// What was sent twice stays within the parts that were under way when the link was cut.
    func expectLittleTwice(
        _ runs: [AgentRun], cuts: Int = 1, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let sent = try runs.reduce(0) { $0 + (try $1.summary.bytesSent ?? 0) }
        let bound = largeFileBytes + cuts * Self.concurrency * partBytes
        #expect(sent <= UInt64(bound), sourceLocation: sourceLocation)
    }
}
