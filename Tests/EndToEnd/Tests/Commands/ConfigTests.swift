import CommandSupport
import Foundation
import InterfaceSupport
import TestSupport
import Testing
import sluice_agent
import sluice_gateway

extension EndToEndTests {
    /// Tests of `config check` and `config show`, and of homes, with the real programs.
    @Suite
    struct ConfigTests {
        private func call(
            _ name: String, _ arguments: [String], _ variables: [String: String] = [:], exits status: Int32 = 0
        ) async throws -> Program {
            let program = try await run(
                .built(name), arguments, environment: Program.environment(adding: variables), within: Site.deadline)
            #expect(program.exitStatus == .exited(status), "\(program.transcript)")
            return program
        }

        @Test func showsEverySettingAndItsSource() async throws {
            try await withTemporaryDirectory { directory in
                let home = directory.path(percentEncoded: false)
                try "limit-rate: 20MB/s\n".write(toFile: home + "/agent.yaml", atomically: false, encoding: .utf8)
                let variables = [
                    "SLUICE_HOME": home, "SLUICE_CONNECTIONS": "2", "SLUICE_RETRY_FOR": "", "SLUICE_X": "1",
                ]
                let shown = try await call("sluice-agent", ["config", "show", "--json"], variables)
                let lines = shown.lines(of: .standardOutput)
                func row(_ setting: String, _ value: String, _ source: String) -> String {
                    "{\"event\":\"setting\",\"setting\":\"\(setting)\",\"value\":\"\(value)\",\"source\":\"\(source)\"}"
                }
                #expect(lines.first == row("home", home, "SLUICE_HOME"))
                #expect(lines.contains(row("connections", "2", "SLUICE_CONNECTIONS")))
                #expect(lines.contains(row("retry-for", "5min", "default")))
                #expect(lines.contains { $0.contains("\"20MB/s\"") && $0.contains("agent.yaml:1\"") })
                #expect(shown.lines(of: .standardError).count == 1)
                #expect(shown.transcript.contains("SLUICE_X has no effect"))
            }
        }

        @Test func checkNamesEveryProblemAndTouchesNothing() async throws {
            try await withTemporaryDirectory { directory in
                let home = directory.path(percentEncoded: false)
                let text = "{\n\"budget\": 16,\n\"lisen\": \"127.0.0.1:1\"\n}\n"
                try text.write(toFile: home + "/gateway.json", atomically: false, encoding: .utf8)
                let checked = try await call("sluice-gateway", ["config", "check", "--home", home], exits: 64)
                #expect(
                    checked.lines(of: .standardError) == [
                        "sluice-gateway: \(home)/gateway.json:2: budget: a number needs a unit, such as 8MiB",
                        "sluice-gateway: \(home)/gateway.json:3: \"lisen\" is not a known key; did you mean listen?",
                    ])
                #expect(try FileManager.default.contentsOfDirectory(atPath: home) == ["gateway.json"])
                _ = try await call("sluice-gateway", ["config", "check", "--home", home + "/nowhere"], exits: 66)
                _ = try await call("sluice-agent", ["config", "show", "--home", home + "/nowhere"], exits: 66)
                _ = try await call("sluice-gateway", ["config", "check"], ["HOME": home + "/nowhere"])
            }
        }

        /// A gateway that starts at night must not find out then that a file is missing.
        @Test func checkLooksAtWhatSettingsName() async throws {
            try await withTemporaryDirectory { directory in
                let home = directory.path(percentEncoded: false)
                let text = "ca: \(home)/no.pem\ns3-ca: \(home)/gateway.yaml\nstore: file://\(home)/no\n"
                try text.write(toFile: home + "/gateway.yaml", atomically: false, encoding: .utf8)
                let check = ["config", "check", "--home", home]
                let told = try await call("sluice-gateway", check, exits: 64).lines(of: .standardError)
                let starts = ["1: ca: Could not open \(home)/no.pem", "2: s3-ca: ", "3: store: there is no directory"]
                #expect(told.count == 3, "\(told)")
                for (line, start) in zip(told, starts) {
                    #expect(line.hasPrefix("sluice-gateway: \(home)/gateway.yaml:\(start)"), "\(line)")
                }
                let objects = try await call("sluice-gateway", check + ["--json"], exits: 64)
                let lines = objects.lines(of: .standardOutput)
                #expect(GatewayInterface.program.problems(in: lines, of: "config check") == [])
                #expect(ProgramInterface.events(of: lines) == ["problem", "problem", "problem", "summary"])
                #expect(objects.lines(of: .standardError) == told)
            }
        }

        /// The agent's file names an authority that is gone, or nothing that identifies the gateway.
        @Test func checkOfTheAgentLooksAtTheTrust() async throws {
            try await withTemporaryDirectory { directory in
                let home = directory.path(percentEncoded: false)
                let file = home + "/agent.yaml"
                let check = ["config", "check", "--home", home]
                for (text, start) in [
                    ("gateway: g:1\nca: no.pem\n", "\(file):2: ca: "), ("gateway: g:1\n", "\(file): pin: is missing"),
                    ("# nothing\n", "\(file): pin: is missing"), ("retry-for: 0s\n", "\(file):1: retry-for: "),
                ] {
                    try text.write(toFile: file, atomically: false, encoding: .utf8)
                    let told = try await call("sluice-agent", check, exits: 64).lines(of: .standardError)
                    #expect(told.count == 1 && told[0].hasPrefix("sluice-agent: \(start)"), "\(told)")
                    let objects = try await call("sluice-agent", check + ["--json"], exits: 64)
                    let lines = objects.lines(of: .standardOutput)
                    #expect(AgentInterface.program.problems(in: lines, of: "config check") == [])
                    #expect(ProgramInterface.events(of: lines) == ["problem", "summary"])
                }
                try "gateway: g:1\nplaintext: true\n".write(toFile: file, atomically: false, encoding: .utf8)
                _ = try await call("sluice-agent", check, exits: 64)
                try "plaintext: true\n".write(toFile: file, atomically: false, encoding: .utf8)
                _ = try await call("sluice-agent", check)
            }
        }

        /// Commands that need no setting name its problem, and do their work.
        @Test(arguments: [["status"], ["receipts", "list"], ["receipts", "prune", "--older-than", "1d"]])
        func listingNamesProblemsOfSettings(command: [String]) async throws {
            try await Site.with { site in
                let agent = try await site.makeAgent(port: 1)
                let variables = ["SLUICE_CONNECTIONS": "99"]
                let told = try await call("sluice-agent", command + ["--home", agent.home], variables)
                let first = told.lines(of: .standardError).first
                #expect(first?.hasPrefix("sluice-agent: SLUICE_CONNECTIONS: must be from") == true)
                // The problem is all that standard error says: sums are results.
                #expect(told.lines(of: .standardError).count == 1, "\(told.transcript)")
            }
        }

        /// A link that leads to itself cannot be read by any user. Every command then exits with the same code.
        @Test(arguments: [["config", "check"], ["config", "show"], ["status"], ["doctor"]])
        func unreadableFileHasOneExitCode(command: [String]) async throws {
            try await withTemporaryDirectory { directory in
                let home = directory.path(percentEncoded: false)
                let file = home + "/agent.yaml"
                try FileManager.default.createSymbolicLink(atPath: file, withDestinationPath: file)
                let told = try await call("sluice-agent", command + ["--home", home], exits: 66)
                #expect(told.transcript.contains("cannot use \(home)/agent.yaml"), "\(told.transcript)")
            }
        }

        @Test func emptyFileIsNamed() async throws {
            try await withTemporaryDirectory { directory in
                let home = directory.path(percentEncoded: false)
                let check = ["config", "check", "--home", home]
                try "# nothing\n".write(toFile: home + "/gateway.yaml", atomically: false, encoding: .utf8)
                let empty = try await call("sluice-gateway", check)
                #expect(empty.transcript.contains("it has no setting; the defaults hold"), "\(empty.transcript)")
                let lines = try await call("sluice-gateway", check + ["--json"]).lines(of: .standardOutput)
                #expect(lines == ["{\"event\":\"summary\",\"file\":\"\(home)/gateway.yaml\",\"problems\":0}"])
            }
        }

        @Test func eachProgramHasADefaultHome() async throws {
            try await withTemporaryDirectory { directory in
                let user = directory.path(percentEncoded: false)
                let made = try await call("sluice-gateway", ["init"], ["HOME": user])
                #expect(made.transcript.contains("\(user)/.sluice-gateway"))
                _ = try await call("sluice-gateway", ["keys", "list"], ["HOME": user])
                let home = ["SLUICE_HOME": "\(user)/.sluice-gateway"]
                let refused = try await call("sluice-agent", ["status"], home, exits: 66)
                #expect(refused.transcript.contains("is the home of a sluice-gateway"))
            }
        }

        @Test(arguments: [["--connections", "99"], ["--concurrency", "0"], ["--limit-rate", "20"]])
        func impossibleFlagsAreRefusedByTheAgent(flags: [String]) async throws {
            try await Site.with { site in
                let agent = try await site.makeAgent(port: 1)
                let refused = try await call(
                    "sluice-agent", ["push", "/etc/passwd", "--home", agent.home] + flags, exits: 64)
                #expect(refused.lines(of: .standardError).first?.hasPrefix("sluice-agent: \(flags[0]): ") == true)
            }
        }
    }
}
