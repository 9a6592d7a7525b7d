import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests of `sluice-agent check`, which tells whether the files on disk are stored with exactly their present
    /// content.
    @Suite
    struct CheckTests {
        @Test func pushedFilesAreProvenWithoutGateway() async throws {
            try await Site.with { site in
                let files = [("tree/a", 1_000), ("tree/below/b", 3 * site.partBytes), ("tree/empty", 0)]
                for (name, bytes) in files { _ = try site.makeFile(name, bytes: bytes) }
                let agent = try await site.withGateway { gateway in
                    let agent = try await site.makeAgent(port: gateway.port, prefix: "site/")
                    _ = try await agent.run(["push", site.path("tree"), "--part-size", site.partSize])
                    return agent
                }
                for fast in [[], ["--fast"]] {
                    let lines = try await agent.check([site.path("tree")] + fast, exits: 0)
                    #expect(lines.map(\.state) == ["proven", "proven", "proven", nil])
                    #expect(lines.map(\.key) == ["site/a", "site/below/b", "site/empty", nil])
                    #expect(lines.last?.files == 3 && lines.last?.proven == 3)
                }
            }
        }

        @Test func unprovenFilesHaveDistinctStates() async throws {
            try await Site.serving { site, agent in
                _ = try site.makeFile("tree/changed", bytes: 1_000)
                _ = try site.makeFile("tree/same", bytes: 1_000)
                _ = try await agent.run(["push", site.path("tree")])
                _ = try site.makeFile("tree/changed", bytes: 1_000, seed: 2)
                _ = try site.makeFile("tree/new", bytes: 5)
                for fast in [[], ["--fast"]] {
                    let lines = try await agent.check([site.path("tree")] + fast, exits: 1)
                    #expect(lines.map(\.state) == ["changed", "not_sent", "proven", nil])
                    #expect(lines.dropLast().allSatisfy { $0.reason?.isEmpty == false })
                }
                // With this prefix the file would have another key, under which no object is stored.
                _ = try await agent.check([site.path("tree/same"), "--prefix", "p/"], exits: 1)
                _ = try await agent.check([site.path("tree/same"), "--key", "same"], exits: 0)
            }
        }

        @Test func missingInputsExit66() async throws {
            try await Site.serving { site, agent in
                let lines = try await agent.check([site.path("gone")], exits: 66)
                #expect(lines.first?.state == "missing")
                try FileManager.default.createDirectory(atPath: site.path("empty"), withIntermediateDirectories: false)
                #expect(try await agent.check([site.path("empty")], exits: 66).count == 1)
                let uninitialised = AgentHandle(home: site.path("nowhere"), program: agent.program)
                _ = try await uninitialised.check([site.path("empty")], exits: 66)
            }
        }

        @Test func textOutputHasOneLinePerFile() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeFile("file", bytes: 1_000)
                _ = try await agent.run(site.push(file))
                let path = file.path(percentEncoded: false)
                let program = try await run(agent.program, ["check", path, "--home", agent.home])
                #expect(program.exitStatus == .exited(0))
                #expect(program.lines(of: .standardOutput) == ["proven         file", "1 file: 1 proven"])
                let quiet = try await run(agent.program, ["check", path, "--quiet", "--home", agent.home])
                #expect(quiet.lines(of: .standardOutput) == ["1 file: 1 proven"])
            }
        }

        /// `check` asks no gateway and takes no lock of the home.
        @Test func checkRunsBesideAPush() async throws {
            try await Site.serving { site, agent in
                let stored = try site.makeFile("stored", bytes: 1_000)
                _ = try await agent.run(site.push(stored))
                let large = try site.makeLargeFile()
                try await agent.start(site.slowPush(large)) { push in
                    try await push.waitForStoredParts(1)
                    _ = try await agent.check([stored.path(percentEncoded: false)], exits: 0)
                    let lines = try await agent.check([large.path(percentEncoded: false)], exits: 1)
                    #expect(lines.first?.state == "not_sent" && lines.first?.reason?.contains("unfinished") == true)
                    // `check --remote` would send HELLO as a newer run, and the gateway would fence the running agent.
                    // So `check --remote` refuses to run beside another agent process of the home.
                    let program = try await run(
                        agent.program,
                        ["check", "--remote", stored.path(percentEncoded: false), "--home", agent.home])
                    #expect(program.exitStatus == .exited(75), "\(program.transcript)")
                }
            }
        }

        @Test func wrongUsageIsRefused() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeFile("file", bytes: 1).path(percentEncoded: false)
                for arguments in [
                    ["check"], ["check", "-"], ["check", file, "--read-back"], ["check", file, "--part-size", "1MiB"],
                    ["check", site.path(""), "--key", "k"],
                ] {
                    let program = try await run(agent.program, arguments + ["--home", agent.home])
                    #expect(program.exitStatus == .exited(64), "\(program.transcript)")
                }
            }
        }
    }
}

/// A line of `check --json`.
struct CheckLine: Decodable {
    var event: String
    var key: String?
    var state: String?
    var reason: String?
    var receipt: Bool?
    var files: Int?
    var proven: Int?
}

extension AgentHandle {
    /// Runs `check --json`, expects its exit code, and parses the lines of its output.
    func check(
        _ arguments: [String], exits status: Int32, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> [CheckLine] {
        try await start(["check"] + arguments) { running in
            let ended = try await running.waitForExit(within: Site.deadline)
            #expect(ended == .exited(status), "\(running.transcript)", sourceLocation: sourceLocation)
            return try running.lines(of: .standardOutput).map { line in
                try JSONDecoder().decode(CheckLine.self, from: Data(line.utf8))
            }
        }
    }
}
