import Foundation
import S3Servers
import TestSupport
import Testing

extension EndToEndTests {
    /// A store that fails while a gateway serves: what is stored is kept, and goes on when the store is well again.
    @Suite
    struct RefusalStoreTests {
        @Test func aStoreThatIsKilledInMidPushIsWaitedForAndThenToldOf() async throws {
            try await Site.with(.juiceFS) { site in
                try await site.withGateway { gateway in
                    let agent = try await site.makeAgent(port: gateway.port)
                    let file = try site.makeLargeFile()
                    let again = try await site.stopServer(during: agent, file) { program in
                        let ended = try await program.waitForExit(within: Site.deadline)
                        #expect(ended == .exited(75), "\(program.transcript)")
                        try AgentRun(program).expectRefusal(Self.unavailable)
                    }
                    try await agent.expectRefusalForPeople(site.push(file) + ["--retry-for", "2s"], Self.unavailable)
                    #expect(try await agent.unfinished().count == 1)
                    try await again.withServer {
                        let rest = try await agent.run(site.push(file))
                        #expect(try rest.summary.bytesResumed ?? 0 >= UInt64(3 * site.partBytes))
                        try await site.expectObject("file", equals: file)
                        try await site.expectNothingUnfinished()
                    }
                }
            }
        }

        private static let unavailable = Refusal(
            75, "storeUnavailable", "store (is not available|cannot be reached|could not be reached)", do: "again")

        @Test func aStoreThatComesBackInTimeIsGoneOnWith() async throws {
            try await Site.with(.juiceFS) { site in
                try await site.withGateway { gateway in
                    let agent = try await site.makeAgent(port: gateway.port)
                    let file = try site.makeLargeFile()
                    _ = try await site.stopServer(during: agent, file, retryFor: "60s") { program in
                        try await program.waitForLine(of: .standardOutput) { $0.contains("waiting") }
                    } goingOn: { program, again in
                        try await again.withServer {
                            let ended = try await program.waitForExit(within: Site.deadline)
                            #expect(ended == .exited(0), "\(program.transcript)")
                            try await site.expectObject("file", equals: file)
                            try await site.expectNothingUnfinished()
                        }
                    }
                }
            }
        }

        @Test func credentialsThatAStoreNoLongerTakesAreToldOf() async throws {
            try await Site.with(.juiceFS) { site in
                try await site.withGateway { gateway in
                    let agent = try await site.makeAgent(port: gateway.port)
                    let file = try site.makeLargeFile()
                    let small = try site.makeFile("small", bytes: 1_000)
                    let refused = Refusal(69, "storeRefuses", "refuses", do: "operator")
                    let again = try await site.stopServer(during: agent, file, retryFor: "60s") { _ in
                    } goingOn: { program, again in
                        try await again.with(secret: "another secret").withServer {
                            let ended = try await program.waitForExit(within: Site.deadline)
                            #expect(ended == .exited(69), "\(program.transcript)")
                            try AgentRun(program).expectRefusal(refused)
                            try await agent.expectRefusal(site.push(small), refused)
                            try await agent.expectRefusalForPeople(site.push(file), refused)
                        }
                    }
                    #expect(try await agent.unfinished().count == 2)
                    try await again.withServer {
                        _ = try await agent.run(["resume", "--all"])
                        try await site.expectObject("file", equals: file)
                        try await site.expectObject("small", equals: small)
                        try await site.expectNothingUnfinished()
                    }
                }
            }
        }

        @Test func aDirectoryThatIsGoneIsToldOf() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let agent = try await site.makeAgent(port: gateway.port)
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
        }

        private static let missing = Refusal(69, "bucketMissing", "bucket or directory is missing", do: "operator")

        @Test func aBucketThatIsGoneIsToldOf() async throws {
            try await Site.with(.moto) { site in
                try await site.withGateway { gateway in
                    let storage = try #require(site.storage as? S3Storage)
                    let agent = try await site.makeAgent(port: gateway.port)
                    let file = try site.makeLargeFile()
                    let run = try await agent.start(site.slowPush(file)) { program in
                        try await program.waitForStoredParts(2)
                        try await storage.aws(["s3", "rb", "--force", "s3://\(storage.server.bucket)"])
                        let ended = try await program.waitForExit(within: Site.deadline)
                        #expect(ended == .exited(69), "\(program.transcript)")
                        return AgentRun(program)
                    }
                    try run.expectRefusal(Self.missing)
                    try await agent.expectRefusal(site.push(file), Self.missing)
                    #expect(try await agent.unfinished().count == 1)
                    // What was in it is gone with it, and the agent says so.
                    try await storage.aws(["s3", "mb", "s3://\(storage.server.bucket)"])
                    let rest = try await agent.run(site.push(file))
                    #expect(rest.notes.contains { $0.contains("lost") })
                    try await site.expectObject("file", equals: file)
                    try await site.expectNothingUnfinished()
                }
            }
        }

        @Test func anUploadThatTheStoreLosesTwiceIsToldOf() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let agent = try await site.makeAgent(port: gateway.port)
                    let file = try site.makeLargeFile()
                    let run = try await agent.start(site.slowPush(file)) { program in
                        try await program.waitForStoredParts(2)
                        try await site.storage.purgeUploads()
                        let lost = try await program.waitForLine(of: .standardOutput) { $0.contains("lost") }
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
}

extension S3Storage {
    /// Runs the AWS command line against the store.
    fileprivate func aws(_ arguments: [String]) async throws {
        let program = try await run(
            try .tool("aws"), ["--endpoint-url", server.endpoint] + arguments,
            environment: Program.environment(adding: environment), within: Site.deadline)
        try #require(program.exitStatus == .exited(0), "\(program.transcript)")
    }
}

extension Site {
    /// Pushes until some parts are stored, kills the store's server there, and waits for `first`; then `goingOn` runs
    /// beside the agent, which is killed after it.
    ///
    /// - Returns: the way to start the server again.
    fileprivate func stopServer(
        during agent: AgentHandle, _ file: URL, retryFor: String = "2s",
        _ first: (Program) async throws -> Void,
        goingOn: (Program, StoppedServer) async throws -> Void = { _, _ in }
    ) async throws -> StoppedServer {
        let storage = try #require(storage as? S3Storage)
        let again = try StoppedServer(of: storage.server)
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

/// A JuiceFS gateway that was stopped, to be started again on what it has kept on its disk.
private struct StoppedServer {
    private let directory: String
    private let endpoint: URL
    private var secret: String
    private let accessKeyID: String
    private let program: Executable

    /// - Parameter server: still runs.
    init(of server: S3Server) throws {
        // It works in the directory that holds its volume.
        directory = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(server.program.processID)/cwd")
        endpoint = try #require(URL(string: server.endpoint))
        (accessKeyID, secret) = (server.accessKeyID, server.secretAccessKey)
        program = server.program.executable
    }

    /// The same one with another password.
    func with(secret: String) -> StoppedServer {
        var server = self
        server.secret = secret
        return server
    }

    /// Runs the server at its old address.
    func withServer(_ body: () async throws -> Void) async throws {
        let arguments = [
            "gateway", "--no-usage-report", "--no-bgjob", "--backup-meta", "0", "--cache-dir", "\(directory)/cache",
            "--log", "\(directory)/gateway.log", "--metrics", "127.0.0.1:0", "--attr-cache", "0",
            "--dir-entry-cache", "0", "sqlite3://\(directory)/metadata.db", "127.0.0.1:\(endpoint.port ?? 0)",
        ]
        let environment = Program.environment(adding: [
            "HOME": directory, "MINIO_ROOT_USER": accessKeyID, "MINIO_ROOT_PASSWORD": secret,
        ])
        try await withProgram(
            program, arguments, environment: environment, workingDirectory: URL(filePath: directory)
        ) { program in
            // As when it was started first: until then it refuses what it will accept later.
            try await program.waitForLine { $0.contains("IAM initialization complete") }
            try await body()
        }
    }
}
