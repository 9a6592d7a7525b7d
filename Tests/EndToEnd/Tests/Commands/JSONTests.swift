import CommandSupport
import Foundation
import InterfaceSupport
import S3Servers
import TestSupport
import Testing
import sluice_agent
import sluice_gateway

extension EndToEndTests {
    /// Calls every command that has `--json`, and compares each line of its output with the declarations.
    @Suite
    struct JSONTests {
        /// Runs a command, and expects that its standard output is JSON as declared.
        ///
        /// - Parameter declared: the command as the declarations name it.
        /// - Returns: the events of the lines, in order.
        @discardableResult
        private func events(
            _ program: Executable, _ interface: ProgramInterface, _ declared: String, _ arguments: [String],
            exits status: Int32 = 0, environment: [String: String] = [:],
            sourceLocation: SourceLocation = #_sourceLocation
        ) async throws -> [String] {
            let ended = try await run(
                program, arguments + ["--json"], environment: Program.environment(adding: environment),
                within: Site.deadline)
            #expect(ended.exitStatus == .exited(status), "\(ended.transcript)", sourceLocation: sourceLocation)
            let lines = ended.lines(of: .standardOutput)
            #expect(interface.problems(in: lines, of: declared) == [], sourceLocation: sourceLocation)
            return ProgramInterface.events(of: lines)
        }

        private func agent(
            _ agent: AgentHandle, _ declared: String, _ arguments: [String], exits status: Int32 = 0,
            sourceLocation: SourceLocation = #_sourceLocation
        ) async throws -> [String] {
            try await events(
                agent.program, AgentInterface.program, declared, arguments + ["--home", agent.home], exits: status,
                sourceLocation: sourceLocation)
        }

        private func gateway(
            _ site: Site, _ declared: String, _ arguments: [String] = [], needsStore: Bool = false,
            exits status: Int32 = 0, sourceLocation: SourceLocation = #_sourceLocation
        ) async throws -> [String] {
            let words = declared.split(separator: " ").map(String.init)
            let options = ["--home", site.path("gateway")] + (needsStore ? site.storage.options : [])
            return try await events(
                try .built("sluice-gateway"), GatewayInterface.program, declared, words + arguments + options,
                exits: status, environment: site.storage.environment, sourceLocation: sourceLocation)
        }

        /// Adds a file whose name is not UTF-8 to the folder `tree` while `body` runs. Foundation can neither make nor
        /// remove such a file.
        private func withBadName(_ site: Site, _ body: () async throws -> Void) async throws {
            try await site.shell("printf x > \"tree/$(printf 'bad\\377')\"")
            let result: Result<Void, any Error>
            do {
                result = .success(try await body())
            } catch {
                result = .failure(error)
            }
            try await site.shell("rm -r tree")
            try result.get()
        }

        @Test func agentTransfersAsDeclared() async throws {
            try await Site.serving { site, agent in
                _ = try site.makeFile("tree/file", bytes: 1_000)
                try await site.shell("mkfifo tree/pipe")
                let tree = site.path("tree")
                try await withBadName(site) {
                    let plan = try await self.agent(agent, "push --dry-run", ["push", tree, "--dry-run"], exits: 1)
                    #expect(plan.filter { $0 != "note" } == ["planned", "planned", "planned", "summary"])
                    let pushed = try await self.agent(agent, "push", ["push", tree, "--receipts"], exits: 1)
                    #expect(pushed.count { $0 == "finished" } == 2 && pushed.last == "summary")
                    #expect(try await self.agent(agent, "status", ["status"]) == ["summary"])
                    let checked = try await self.agent(agent, "check", ["check", tree, "--remote"], exits: 66)
                    #expect(checked == ["checked", "checked", "summary"])
                }
            }
        }

        @Test func agentReportsAsDeclared() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeFile("file", bytes: 1_000).path(percentEncoded: false)
                _ = try await agent.run(["push", file, "--receipts"])
                #expect(try await self.agent(agent, "receipts list", ["receipts", "list"]) == ["receipt", "summary"])
                #expect(
                    try await self.agent(agent, "receipts verify", ["receipts", "verify"]) == ["receipt", "summary"])
                let export = ["receipts", "export", "--to", site.path("exported")]
                #expect(try await self.agent(agent, "receipts export", export) == ["exported", "summary"])
                let prune = ["receipts", "prune", "--older-than", "1d"]
                #expect(try await self.agent(agent, "receipts prune", prune) == ["pruned"])
                let found = try await self.agent(agent, "doctor", ["doctor"])
                #expect(found.dropLast().allSatisfy { $0 == "finding" } && found.last == "summary")
                let digest = try await events(
                    agent.program, AgentInterface.program, "digest", ["digest", file])
                #expect(digest == ["digest"])
                #expect(try await self.agent(agent, "resume", ["resume", "--all"]) == ["summary"])
                #expect(try await self.agent(agent, "abort", ["abort", "9"], exits: 66).last == "summary")
                let other = AgentHandle(home: site.path("other"), program: agent.program)
                let start = ["init", "--gateway", "127.0.0.1:1", "--pin", try site.pin]
                #expect(try await self.agent(other, "init", start) == ["home"])
                let failed = try await self.agent(other, "doctor", ["doctor"], exits: 75)
                #expect(failed.last == "summary" && failed.contains("finding"))
            }
        }

        /// The keys are those in the store, and the bytes of a name that is not UTF-8 are there.
        @Test func keysAndNamesAreThoseOfTheStore() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let agent = try await site.makeAgent("cam", port: gateway.port, prefix: "cam/")
                    _ = try site.makeFile("tree/good", bytes: 10)
                    try await withBadName(site) {
                        let program = try await run(
                            agent.program, ["push", site.path("tree"), "--json", "--home", agent.home],
                            within: Site.deadline)
                        let objects = try program.lines(of: .standardOutput).map { line in
                            try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
                        }
                        let stored = try #require(objects.first { $0["outcome"] as? String == "stored" })
                        #expect(stored["key"] as? String == "cam/good" && stored["relative_key"] as? String == "good")
                        let refused = try #require(objects.first { $0["outcome"] as? String == "unreadable" })
                        let bytes = (refused["path_bytes"] as? String).flatMap { Data(base64Encoded: $0) }
                        #expect(bytes == Data(Array((site.path("tree") + "/bad").utf8) + [0xFF]))
                    }
                }
            }
        }

        @Test func unfinishedUploadsAreListed() async throws {
            try await Site.serving { site, agent in
                _ = try await site.pushAndKill(agent, site.makeLargeFile())
                #expect(try await self.agent(agent, "status", ["status"]) == ["unfinished", "summary"])
                #expect(
                    try await gateway(site, "uploads list", needsStore: true) == ["upload", "summary"])
                let clean = ["--older-than", "0s", "--force"]
                #expect(try await gateway(site, "uploads clean", clean, needsStore: true) == ["removed", "summary"])
                #expect(try await gateway(site, "uploads list", needsStore: true) == ["summary"])
            }
        }

        @Test func gatewayPrintsWhatItDeclares() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeFile("file", bytes: 1_000).path(percentEncoded: false)
                _ = try await agent.run(["push", file, "--receipts"])
                let invite = ["invited", "--gateway", "127.0.0.1:7420"]
                #expect(try await gateway(site, "device invite", invite) == ["invitation"])
                let add = ["certified", "--certificate", "--sessions", "3"]
                #expect(try await gateway(site, "device add", add) == ["device"])
                #expect(try await gateway(site, "device list").prefix(3) == ["device", "device", "invitation"])
                #expect(try await gateway(site, "device revoke", ["certified"]) == ["revoked"])
                #expect(try await gateway(site, "keys list").allSatisfy { $0 == "key" })
                #expect(try await gateway(site, "keys rotate") == ["rotated"])
                let identity = try await gateway(site, "identity list")
                #expect(identity == ["site_key", "knowledge", "summary"])
                #expect(try await gateway(site, "identity announce") == ["site_key"])
                #expect(try await gateway(site, "identity switch", ["--force"]) == ["site_key"])
                #expect(try await gateway(site, "identity retire", ["--force"]) == ["site_key"])
                #expect(try await gateway(site, "verify", ["file"], needsStore: true) == ["verified"])
                #expect(try await gateway(site, "verify", ["none"], needsStore: true, exits: 66) == ["verified"])
                let folder = site.path("exported")
                _ = try await agent.runForPeople(["receipts", "export", "--to", folder])
                let name = try #require(try FileManager.default.contentsOfDirectory(atPath: folder).first)
                let program = try Executable.built("sluice-gateway")
                let receipt = try await events(
                    program, GatewayInterface.program, "receipt verify",
                    ["receipt", "verify", folder + "/" + name, "--key", try site.pin])
                #expect(receipt == ["receipt"])
                let made = try await events(
                    program, GatewayInterface.program, "init", ["init", site.path("new")])
                #expect(made == ["home"])
            }
        }

        @Test func serveSaysWhereItListens() async throws {
            try await Site.with { site in
                let arguments = ["serve", "--home", site.path("gateway"), "--listen", "127.0.0.1:0", "--json"]
                let environment = Program.environment(adding: site.storage.environment)
                try await withProgram(
                    try .built("sluice-gateway"), arguments + site.storage.options, environment: environment
                ) { program in
                    let line = try await program.waitForLine(of: .standardOutput) { $0.contains("listening") }.text
                    #expect(GatewayInterface.program.problems(in: [line], of: "serve") == [])
                    #expect(line.hasPrefix("{\"event\":\"listening\",\"address\":\"127.0.0.1:"))
                }
            }
        }
    }
}
