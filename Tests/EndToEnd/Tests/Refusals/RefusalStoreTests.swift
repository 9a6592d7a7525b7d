import Foundation
import S3Servers
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests of stores that fail while a gateway serves. The stored parts are kept, and the upload continues when the
    /// store works again.
    @Suite
    struct RefusalStoreTests {
        @Test func killedStoreIsReportedAfterWaiting() async throws {
            try await Site.serving(.juiceFS) { site, agent in
                let file = try site.makeLargeFile()
                let again = try await site.stopServer(during: agent, file) { program in
                    let ended = try await program.waitForExit(within: Site.deadline)
                    #expect(ended == .exited(75), "\(program.transcript)")
                    try AgentRun(program).expectRefusal(Self.unavailable)
                }
                try await agent.expectRefusalForPeople(site.push(file) + ["--retry-for", "2s"], Self.unavailable)
                #expect(try await agent.unfinished().count == 1)
                try await again.withServer { _ in
                    let rest = try await agent.run(site.push(file))
                    #expect(try rest.summary.bytesResumed ?? 0 >= UInt64(3 * site.partBytes))
                    try await site.expectObject("file", equals: file)
                    try await site.expectNothingUnfinished()
                }
            }
        }

        private static let unavailable = Refusal(
            75, "storeUnavailable", "store (is not available|cannot be reached|could not be reached)", do: "again")

        @Test func returningStoreCompletesPush() async throws {
            try await Site.serving(.juiceFS) { site, agent in
                let file = try site.makeLargeFile()
                _ = try await site.stopServer(during: agent, file, retryFor: "60s") { program in
                    try await program.waitForLine(of: .standardOutput) { $0.contains("waiting") }
                } goingOn: { program, again in
                    try await again.withServer { _ in
                        let ended = try await program.waitForExit(within: Site.deadline)
                        #expect(ended == .exited(0), "\(program.transcript)")
                        try await site.expectObject("file", equals: file)
                        try await site.expectNothingUnfinished()
                    }
                }
            }
        }

        /// While the store is unavailable, the agent sends only the first bytes of a part from time to time, as a
        /// trial.
        @Test func unavailableStoreIsSentLittle() async throws {
            try await Site.serving(.juiceFS) { site, agent in
                let file = try site.makeLargeFile()
                _ = try await site.stopServer(during: agent, file, retryFor: "60s") { _ in
                    // Only the passing of time can show that the agent sends nothing.
                    try await Task.sleep(for: .seconds(15))
                } goingOn: { program, again in
                    try await again.withServer { _ in
                        let ended = try await program.waitForExit(within: Site.deadline)
                        #expect(ended == .exited(0), "\(program.transcript)")
                        let run = AgentRun(program)
                        let wasted = Int(try run.summary.bytesSent ?? 0) - site.largeFileBytes
                        #expect(wasted <= 4 * site.partBytes + (1 << 20), "\(wasted)")
                        #expect(run.notes.count { $0.hasPrefix("waiting: ") } == 1, "\(run.notes)")
                        try await site.expectObject("file", equals: file)
                    }
                }
            }
        }

        /// Each run is a new process, as a scheduled job starts it, and learns from the gateway that the store is
        /// unavailable.
        @Test func runsDuringOutageSendLittle() async throws {
            try await Site.serving(.juiceFS) { site, agent in
                let file = try site.makeLargeFile()
                let small = try site.makeFile("small", bytes: 11 << 10)
                let again = try await site.stopServer(during: agent, file) { program in
                    let ended = try await program.waitForExit(within: Site.deadline)
                    #expect(ended == .exited(75), "\(program.transcript)")
                }
                for _ in 1...3 {
                    for (file, bytesMax) in [(file, 128 << 10), (small, 0)] as [(URL, UInt64)] {
                        let run = try await agent.run(site.push(file) + ["--retry-for", "3s"], exits: 75)
                        #expect(try run.summary.bytesSent ?? .max <= bytesMax)
                    }
                }
                try await again.withServer { _ in
                    _ = try await agent.run(["resume", "--all"])
                    try await site.expectObject("file", equals: file)
                    try await site.expectObject("small", equals: small)
                    try await site.expectNothingUnfinished()
                }
            }
        }

        @Test func refusedCredentialsAreReported() async throws {
            try await Site.serving(.juiceFS) { site, agent in
                let file = try site.makeLargeFile()
                let small = try site.makeFile("small", bytes: 1_000)
                let refused = Refusal(69, "storeRefuses", "refuses", do: "operator")
                let again = try await site.stopServer(during: agent, file, retryFor: "60s") { _ in
                } goingOn: { program, again in
                    var other = again
                    other.secretAccessKey = "another secret"
                    try await other.withServer { _ in
                        let ended = try await program.waitForExit(within: Site.deadline)
                        #expect(ended == .exited(69), "\(program.transcript)")
                        try AgentRun(program).expectRefusal(refused)
                        try await agent.expectRefusal(site.push(small), refused)
                        try await agent.expectRefusalForPeople(site.push(file), refused)
                    }
                }
                #expect(try await agent.unfinished().count == 2)
                try await again.withServer { _ in
                    _ = try await agent.run(["resume", "--all"])
                    try await site.expectObject("file", equals: file)
                    try await site.expectObject("small", equals: small)
                    try await site.expectNothingUnfinished()
                }
            }
        }

        @Test func missingDirectoryIsReported() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeLargeFile()
                let run = try await agent.start(site.slowPush(file)) { program in
                    try await program.waitForStoredParts(3)
                    try FileManager.default.moveItem(atPath: site.path("store"), toPath: site.path("away"))
                    let ended = try await program.waitForExit(within: Site.deadline)
                    #expect(ended == .exited(69), "\(program.transcript)")
                    return AgentRun(program)
                }
                try run.expectRefusal(Self.missing)
                try await agent.expectRefusal(site.push(file), Self.missing)
                #expect(!FileManager.default.fileExists(atPath: site.path("store")), "it is not made anew")
                try FileManager.default.moveItem(atPath: site.path("away"), toPath: site.path("store"))
                let rest = try await agent.run(site.push(file))
                #expect(try rest.summary.bytesResumed ?? 0 >= UInt64(3 * site.partBytes))
                try await site.expectObject("file", equals: file)
                try await site.expectNothingUnfinished()
            }
        }

        private static let missing = Refusal(69, "bucketMissing", "bucket or directory is missing", do: "operator")

        @Test func missingBucketIsReported() async throws {
            try await Site.with(.moto) { site in
                try await site.withGateway { gateway in
                    let storage = try #require(site.storage as? S3Storage)
                    let agent = try await site.makeAgent(port: gateway.port)
                    let file = try site.makeLargeFile()
                    // Push slowly, so that some parts are still missing when the bucket disappears. If all parts were
                    // stored, a gateway would have to assume that another gateway is completing the upload.
                    let run = try await agent.start(site.slowPush(file, partsPerSecond: 1)) { program in
                        try await program.waitForStoredParts(1)
                        try await storage.aws(["s3", "rb", "--force", "s3://\(storage.server.bucket)"])
                        let ended = try await program.waitForExit(within: Site.deadline)
                        #expect(ended == .exited(69), "\(program.transcript)")
                        return AgentRun(program)
                    }
                    try run.expectRefusal(Self.missing)
                    try await agent.expectRefusal(site.push(file), Self.missing)
                    #expect(try await agent.unfinished().count == 1)
                    try await storage.aws(["s3", "mb", "s3://\(storage.server.bucket)"])
                    let rest = try await agent.run(site.push(file))
                    #expect(rest.notes.contains { $0.contains("sending it anew") })
                    try await site.expectObject("file", equals: file)
                    try await site.expectNothingUnfinished()
                }
            }
        }

        @Test func uploadLostTwiceIsReported() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeLargeFile()
                let run = try await agent.start(site.slowPush(file)) { program in
                    try await program.waitForStoredParts(2)
                    try await site.storage.purgeUploads()
                    let lost = try await program.waitForLine(of: .standardOutput) { $0.contains("sending it anew") }
                    try await program.waitForLine(after: lost, of: .standardOutput) {
                        AgentRun.event($0).map { $0.event == "part" && ($0.stored ?? 0) > 0 } ?? false
                    }
                    try await site.storage.purgeUploads()
                    let ended = try await program.waitForExit(within: Site.deadline)
                    #expect(ended == .exited(1), "\(program.transcript)")
                    return AgentRun(program)
                }
                try run.expectRefusal(Refusal(1, "sessionLost", "lost .* 2 times", do: "push again"))
                try await site.expectNoObject("file")
                #expect(try await agent.unfinished().isEmpty)
                try await site.expectNothingUnfinished()
                _ = try await agent.run(site.push(file))
                try await site.expectObject("file", equals: file)
            }
        }
    }
}

extension S3Storage {
    fileprivate func aws(_ arguments: [String]) async throws {
        let program = try await run(
            try .tool("aws"), ["--endpoint-url", server.endpoint] + arguments,
            environment: Program.environment(adding: environment), within: Site.deadline)
        try #require(program.exitStatus == .exited(0), "\(program.transcript)")
    }
}

extension Site {
    /// Pushes until some parts are stored, and kills the store's server. Then runs `first` without the server, and
    /// after it `goingOn` while the agent is still running. Finally kills the agent if it still runs.
    ///
    /// - Returns: a value that can start the server again.
    fileprivate func stopServer(
        during agent: AgentHandle, _ file: URL, retryFor: String = "2s",
        _ first: (Program) async throws -> Void,
        goingOn: (Program, JuiceFSGateway) async throws -> Void = { _, _ in }
    ) async throws -> JuiceFSGateway {
        let storage = try #require(storage as? S3Storage)
        let again = try #require(storage.server.juiceFS)
        try await agent.start(slowPush(file) + ["--retry-for", retryFor]) { program in
            try await program.waitForStoredParts(3)
            storage.server.program.kill(SIGKILL)
            try await storage.server.program.waitForExit()
            try await first(program)
            try await goingOn(program, again)
        }
        return again
    }
}
