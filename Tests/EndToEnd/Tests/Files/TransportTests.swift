import Foundation
import S3Servers
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests of TLS between the real programs: which peers each side accepts, and what the messages of refusals say.
    @Suite
    struct TransportTests {
        @Test func gatewayWithUnpinnedKeyGetsNothing() async throws {
            try await Site.serving { site, agent in
                let configuration = agent.home + "/agent.yaml"
                let text = try String(contentsOfFile: configuration, encoding: .utf8)
                let pin = String(repeating: "0", count: 64)
                try text.replacing(/sha256:[0-9a-f]+/, with: "sha256:\(pin)")
                    .write(toFile: configuration, atomically: true, encoding: .utf8)
                let file = try site.makeFile("file", bytes: 1_000)
                try await agent.expectRefusal(
                    site.push(file), Refusal(77, "gatewayUntrusted", "which is not pinned", do: "--pin"))
                try await site.expectNoObject("file")
            }
        }

        @Test func unlistedDeviceIsRefusedInHandshake() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let agent = try await site.makeAgent(port: gateway.port, gateways: [])
                    let file = try site.makeFile("file", bytes: 1_000)
                    try await agent.expectRefusal(
                        site.push(file), Refusal(77, "notAuthorised", "does not know this device", do: "device add"))
                }
            }
        }

        @Test func revokedDeviceIsDisconnected() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeLargeFile()
                try await agent.start(site.slowPush(file, partsPerSecond: 1)) { program in
                    try await program.waitForStoredParts(1)
                    try await site.gateway(["device", "revoke", "agent", "--home", site.path("gateway")])
                    #expect(try await program.waitForExit(within: .seconds(10)) == .exited(77))
                    #expect(AgentRun(program).outcomes == ["notAuthorised"])
                }
                try await site.gateway(["device", "revoke", "agent", "--home", site.path("gateway")], exits: 64)
            }
        }

        @Test func bothSidesMustAgreeOnPlaintext() async throws {
            try await Site.with { site in
                let file = try site.makeFile("file", bytes: 1_000)
                try await site.withGateway(["--verbose"]) { gateway in
                    let agent = try await site.makeAgent("plain", port: gateway.port)
                    let refused = try await agent.run(
                        site.push(file) + ["--plaintext", "--retry-for", "1s"], exits: 75)
                    #expect(refused.outcomes == ["unreachable"])
                    #expect(refused.events.contains { $0.message?.contains("leave out --plaintext") == true })
                    try await gateway.program.waitForLine {
                        $0.contains("TLS failed") && $0.contains("leave out its --plaintext")
                    }
                    let doctor = try await run(
                        agent.program, ["doctor", "--home", agent.home, "--plaintext"], within: Site.deadline)
                    #expect(doctor.exitStatus == .exited(75), "\(doctor.transcript)")
                    #expect(doctor.transcript.contains("leave out --plaintext"), "\(doctor.transcript)")
                }
                try await site.withGateway(["--plaintext"]) { gateway in
                    let agent = try await site.makeAgent("secure", port: gateway.port)
                    let refused = try await agent.run(site.push(file), exits: 76)
                    #expect(refused.outcomes == ["protocolViolation"])
                    try await gateway.program.waitForLine {
                        $0.contains("Ended a connection") && $0.contains("the peer speaks TLS")
                    }
                    _ = try await agent.run(site.push(file) + ["--plaintext"])
                    let doctor = try await run(
                        agent.program, ["doctor", "--home", agent.home, "--plaintext"], within: Site.deadline)
                    #expect(doctor.exitStatus == .exited(0), "\(doctor.transcript)")
                    #expect(doctor.transcript.contains("without TLS"), "\(doctor.transcript)")
                    try await site.expectObject("file", equals: file)
                }
            }
        }

        @Test func plainTextStaysOnThisMachine() async throws {
            try await Site.with { site in
                let arguments = ["serve", "--home", site.path("gateway"), "--listen", "192.0.2.1:7420", "--plaintext"]
                try await site.gateway(arguments + site.storage.options, exits: 64)
            }
        }
    }
}
