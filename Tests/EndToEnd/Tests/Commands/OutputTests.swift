import Foundation
import S3Servers
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests of outputs that are closed, full or not read. They must not end, stall or mislead a program: a transfer is
    /// completed, and a program that could not print its results does not exit with 0.
    @Suite
    struct OutputTests {
        private static let lost: Int32 = 74

        private func run(
            _ site: Site, _ program: Executable, _ arguments: [String], _ redirections: String, setUp: String = "",
            within limit: Duration = Site.deadline
        ) async throws -> Program {
            try await TestSupport.run(
                Site.shell, Site.shellArguments(program, arguments, redirections, setUp: setUp),
                environment: Program.environment(adding: site.storage.environment), within: limit)
        }

        @Test(arguments: Site.LostOutput.allCases)
        func commandsOfTheAgentReportLostOutput(output: Site.LostOutput) async throws {
            try await Site.serving { site, agent in
                let file = try site.makeFile("file", bytes: 1_000).path(percentEncoded: false)
                _ = try await agent.run(["push", file])
                let commands: [[String]] = [
                    ["--help"], ["--version"], ["help", "push"], ["digest", file],
                    ["status", "--home", agent.home], ["doctor", "--home", agent.home],
                    ["push", file, "--dry-run", "--home", agent.home], ["check", file, "--home", agent.home],
                    ["check", file, "--remote", "--home", agent.home],
                    ["check", file, "--json", "--home", agent.home],
                    ["push", file, "--home", agent.home], ["push", file, "--json", "--home", agent.home],
                ]
                for command in commands {
                    let program = try await run(
                        site, agent.program, command, output.rawValue, setUp: output.setUp(in: site))
                    #expect(program.exitStatus == .exited(Self.lost), "\(command): \(program.transcript)")
                    let isTold = program.transcript.contains("standard output could not be written: ")
                    #expect(isTold == (output != .abandoned), "\(command): \(program.transcript)")
                }
                // If the command also fails for another reason, it exits with the code of that reason.
                let missing = try await run(
                    site, agent.program, ["check", site.path("gone"), "--home", agent.home], output.rawValue,
                    setUp: output.setUp(in: site))
                #expect(missing.exitStatus == .exited(66), "\(missing.transcript)")
            }
        }

        @Test(arguments: Site.LostOutput.allCases)
        func commandsOfTheGatewayReportLostOutput(output: Site.LostOutput) async throws {
            try await Site.with { site in
                let gateway = try Executable.built("sluice-gateway")
                let home = ["--home", site.path("gateway")]
                let commands: [[String]] = [
                    ["--help"], ["--version"], ["init", site.path("another")], ["keys", "list"] + home,
                    ["keys", "rotate"] + home, ["identity", "list"] + home, ["identity", "announce"] + home,
                    ["device", "invite", "cam1", "--gateway", "gate.example:7420"] + home, ["device", "list"] + home,
                    ["uploads", "list"] + home + site.storage.options,
                    ["uploads", "clean"] + home + site.storage.options,
                ]
                for command in commands {
                    let program = try await run(site, gateway, command, output.rawValue, setUp: output.setUp(in: site))
                    #expect(program.exitStatus == .exited(Self.lost), "\(command): \(program.transcript)")
                }
            }
        }

        /// If standard descriptors are closed, no socket or file of a push may get one of their numbers.
        @Test(
            arguments: [
                (">/dev/full", lost), (">&-", lost), (">&- 2>&-", lost), ("<&- >&- 2>&-", lost),
                (">/dev/full 2>/dev/full", lost), ("2>&-", 0), ("2>/dev/full", 0), ("<&-", 0), ("<&- 2>&-", 0),
            ],
            [["--json"], ["--verbose"], ["--quiet"]])
        func transferSurvivesLostOutput(ending: (redirections: String, status: Int32), style: [String]) async throws {
            try await Site.serving { site, agent in
                let file = try site.makeLargeFile()
                let arguments = site.push(file) + style + ["--home", agent.home]
                let program = try await run(site, agent.program, arguments, ending.redirections)
                // A quiet push that succeeds has nothing to print, so it loses nothing.
                let status = style == ["--quiet"] ? 0 : ending.status
                #expect(program.exitStatus == .exited(status), "\(program.transcript)")
                try await site.expectObject("file", equals: file)
                try await site.expectNothingUnfinished()
            }
        }

        @Test func closedStandardInputIsNotAnEmptyStream() async throws {
            try await Site.serving { site, agent in
                let arguments = ["push", "-", "--key", "stream", "--home", agent.home]
                let program = try await run(site, agent.program, arguments, "<&-")
                guard case .exited(let status) = program.exitStatus else {
                    Issue.record("\(program.transcript)")
                    return
                }
                #expect(status == 66, "\(program.transcript)")
                #expect(program.transcript.contains("standard input is closed"), "\(program.transcript)")
                // The push was refused before an upload began, so none is left to be dropped.
                #expect(try await agent.unfinished().isEmpty)
                try await site.expectNoObject("stream")
            }
        }

        @Test func abandonedPipeEndsNoTransfer() async throws {
            try await Site.serving { site, agent in
                for index in 0..<20 { _ = try site.makeFile("tree/\(index)", bytes: 1_000, seed: UInt64(index)) }
                let words = [
                    agent.program.path, "push", site.path("tree"), "--verbose", "--json", "--home", agent.home,
                ]
                let line = words.map(Site.quoted).joined(separator: " ")
                let program = try await TestSupport.run(
                    Site.shell, ["-c", "{ \(line); echo \"code $?\" >&2; } | head -n1"], within: Site.deadline)
                // The output is lost only if `head` has ended before the push. A signal would give a code above 128.
                let told = program.lines(of: .standardError)
                #expect(told.contains("code 0") || told.contains("code 74"), "\(program.transcript)")
                for index in 0..<20 {
                    try await site.expectObject(
                        "\(index)", equals: site.directory.appending(path: "tree/\(index)"))
                }
            }
        }

        /// The pipe's reader never reads. At the end the program waits for it only for a few seconds.
        @Test(arguments: [["--json"], ["--verbose"]])
        func unreadOutputStallsNoTransfer(style: [String]) async throws {
            try await Site.serving { site, agent in
                let file = try site.makeLargeFile()
                let program = try await run(
                    site, agent.program, site.push(file) + style + ["--home", agent.home], ">&3",
                    setUp: site.blockedPipe(), within: .seconds(30))
                #expect(program.exitStatus == .exited(Self.lost), "\(program.transcript)")
                #expect(program.transcript.contains("standard output was not read"), "\(program.transcript)")
                try await site.expectObject("file", equals: file)
                try await site.expectNothingUnfinished()
            }
        }

        /// The gateway logs on its event loops. A log that is not read must not stop them.
        @Test(arguments: ["2>&3", ">&3 2>&3", "2>/dev/full", "2>&-", ">&- 2>&-"])
        func gatewayServesWithoutItsOutputs(redirections: String) async throws {
            try await Site.with { site in
                let port = try findFreePort()
                let arguments =
                    ["serve", "--home", site.path("gateway"), "--listen", "127.0.0.1:\(port)", "--verbose"]
                    + site.storage.options
                let setUp = redirections.contains("3") ? site.blockedPipe() : ""
                let shell = Site.shellArguments(
                    try .built("sluice-gateway"), arguments, redirections, setUp: setUp)
                try await withProgram(
                    Site.shell, shell, environment: Program.environment(adding: site.storage.environment)
                ) { gateway in
                    let agent = try await site.makeAgent(port: port)
                    for index in 0..<3 {
                        let file = try site.makeFile("file-\(index)", bytes: 3 << 20, seed: UInt64(index))
                        _ = try await agent.run(site.push(file))
                        try await site.expectObject("file-\(index)", equals: file)
                    }
                    gateway.kill(SIGTERM)
                    // The line "listening on" is a result, so its loss changes the exit code. The loss of lines of the
                    // log does not.
                    let status = redirections.contains(">&- ") || redirections.contains(">&3 ") ? Self.lost : 0
                    let ended = try await gateway.waitForExit(within: .seconds(30))
                    #expect(ended == .exited(status), "\(gateway.transcript)")
                }
            }
        }
    }
}
