import Foundation
import S3Servers
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests of programs whose process may have few descriptors.
    @Suite
    struct DescriptorTests {
        private static func limited(_ agent: AgentHandle, to count: Int, _ site: Site) throws -> AgentHandle {
            AgentHandle(
                home: agent.home,
                program: try site.script("limited", running: "ulimit -n \(count); exec '\(agent.program.path)'"))
        }

        @Test(arguments: [256, 64])
        func fewDescriptorsAreEnough(_ count: Int) async throws {
            try await Site.serving { site, agent in
                var files: [String: URL] = [:]
                for index in 0..<300 {
                    let name = "\(index % 7)/deep/\(index)"
                    files[name] = try site.makeFile("tree/\(name)", bytes: 100 + index, seed: UInt64(index))
                }
                let limited = try Self.limited(agent, to: count, site)
                let run = try await limited.run(["push", site.path("tree"), "--connections", "4"])
                #expect(try run.summary.files == 300 && run.summary.failed == 0)
                for (key, file) in files { try await site.expectObject(key, equals: file) }
                let check = try await limited.runForPeople(["check", site.path("tree")])
                #expect(check.exitStatus == .exited(0), "\(check.transcript)")
            }
        }

        @Test func tooFewDescriptorsAreExplained() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeFile("file", bytes: 100)
                let limited = try Self.limited(agent, to: 16, site)
                let told = try await limited.runForPeople(["push", file.path(percentEncoded: false)])
                #expect(told.exitStatus == .exited(75), "\(told.transcript)")
                try #require(told.lines.count == 1, "\(told.transcript)")
                #expect(told.lines[0].output == .standardError)
                for words in ["only 16 files open", "it needs 40", "ulimit -n"] {
                    #expect(told.lines[0].text.contains(words), "\(told.transcript)")
                }
                try await site.expectNoObject("file")
            }
        }

        /// Peers that say nothing use up the gateway's 64 descriptors.
        @Test func gatewayWithFewDescriptorsServes() async throws {
            try await Site.with { site in
                let gateway = try Executable.built("sluice-gateway")
                let limited = try site.script("limited", running: "ulimit -n 64; exec '\(gateway.path)'")
                let arguments = ["serve", "--home", site.path("gateway"), "--listen", "127.0.0.1:0"]
                try await withProgram(limited, arguments + site.storage.options) { program in
                    let line = try await program.waitForLine(of: .standardOutput) { $0.hasPrefix("listening on ") }
                    let port = try #require(line.text.split(separator: ":").last.flatMap { Int($0) })
                    let agent = try await site.makeAgent(port: port)
                    let file = try site.makeFile("file", bytes: 3 * site.partBytes)
                    try await Self.withSilentPeers(100, port: port) {
                        _ = try await agent.run(["push", file.path(percentEncoded: false)])
                        try await site.expectObject("file", equals: file)
                    }
                }
            }
        }

        private static func withSilentPeers(_ count: Int, port: Int, _ body: () async throws -> Void) async throws {
            let script = """
                import signal, socket, sys
                peers = []
                for _ in range(int(sys.argv[2])):
                    peer = socket.socket()
                    peer.setblocking(False)
                    peer.connect_ex(("127.0.0.1", int(sys.argv[1])))
                    peers.append(peer)
                print("connected", flush=True)
                signal.pause()
                """
            try await withProgram(.inSearchPath("python3"), ["-c", script, "\(port)", "\(count)"]) { peers in
                try await peers.waitForLine(of: .standardOutput) { $0 == "connected" }
                try await body()
            }
        }
    }
}
