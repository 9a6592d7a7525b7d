import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests that a file's name can neither control the terminal nor forge a line of output, whichever command prints
    /// the name. Also tests that a foreign host's name cannot pass for this machine.
    @Suite
    struct ForeignTextTests {
        private static let name = "x\u{1B}[2J\nforged"

        private func expectVisible(_ program: Program, sourceLocation: SourceLocation = #_sourceLocation) {
            #expect(
                program.transcript.contains("x\\u{1b}[2J\\u{a}forged"), "\(program.transcript)",
                sourceLocation: sourceLocation)
            let lines = program.lines.map(\.text)
            #expect(!lines.contains { $0.hasPrefix("forged") }, sourceLocation: sourceLocation)
            #expect(!lines.contains { $0.unicodeScalars.contains("\u{1B}") }, sourceLocation: sourceLocation)
        }

        @Test func namesOfFilesAreVisible() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeFile("tree/\(Self.name)", bytes: 1_000).path(percentEncoded: false)
                let gone = site.path("gone") + Self.name
                let commands = [
                    ["digest", file], ["check", file], ["push", file, "--dry-run", "--key", "k"], ["push", gone],
                    ["push", site.path("tree"), "--dry-run"], ["push", gone, "--quiet"],
                    ["push", file, "--key", "k", "--metadata", Self.name], [Self.name],
                    ["push", file, "--\(Self.name)"],
                ]
                for command in commands {
                    let hasHome = command.first == "check" || command.first == "push"
                    expectVisible(
                        try await run(
                            agent.program, command + (hasHome ? ["--home", agent.home] : []), within: Site.deadline))
                }
            }
        }

        @Test func unfinishedUploadIsVisible() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeLargeFile(Self.name)
                let arguments = site.slowPush(file) + ["--key", "k"]
                try await agent.start(arguments) { program in
                    try await program.waitForStoredParts(2)
                    program.kill(SIGKILL)
                    try await program.waitForExit()
                }
                expectVisible(try await run(agent.program, ["status", "--home", agent.home]))
            }
        }

        @Test(arguments: ["127.evil.example", "127.0.0.1.example", "127.1", "0177.0.0.1"])
        func nameLikeLoopbackIsNotLoopback(host: String) async throws {
            try await Site.serving { site, agent in
                try await site.administer(["serve", "--plaintext", "--listen", "\(host):0"], exits: 64)
                let file = try site.makeFile("file", bytes: 10).path(percentEncoded: false)
                let arguments = ["push", file, "--plaintext", "--gateway", "\(host):1", "--home", agent.home]
                let program = try await run(agent.program, arguments)
                #expect(program.exitStatus == .exited(64), "\(program.transcript)")
            }
        }
    }
}
