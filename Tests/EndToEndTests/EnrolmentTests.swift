import Foundation
import SecureChannel
import TestSupport
import Testing
import WireProtocol

extension EndToEndTests {
    /// How a device gets onto the list by an invitation, with the real programs.
    @Suite
    struct EnrolmentTests {
        /// - Returns: the code, which `device invite` prints alone on its last line.
        private func invite(_ site: Site, _ name: String, port: Int, _ options: [String] = []) async throws -> String {
            let arguments = [
                "device", "invite", name, "--home", site.path("gateway"), "--gateway", "127.0.0.1:\(port)",
            ]
            return try #require(try await site.gateway(arguments + options).last)
        }

        private func enrol(_ site: Site, _ home: String, _ code: String, exits status: Int32 = 0) async throws
            -> AgentHandle
        {
            let agent = AgentHandle(home: site.path(home), program: try .built("sluice-agent"))
            let program = try await run(
                agent.program, ["init", "--home", agent.home, "--invite", code], within: Site.deadline)
            #expect(program.exitStatus == .exited(status), "\(program.transcript)")
            return agent
        }

        @Test func aCodeSetsADeviceUp() async throws {
            try await Site.with { site in
                try await site.withGateway(["--verbose"]) { gateway in
                    let code = try await invite(site, "cam", port: gateway.port, ["--prefix", "cams/cam/"])
                    let agent = try await enrol(site, "agent", code)
                    let file = try site.makeFile("file", bytes: 100_000)
                    _ = try await agent.run(site.push(file))
                    try await site.expectObject("cams/cam/file", equals: file)

                    // Good once: for another key, there is nothing any more.
                    _ = try await enrol(site, "thief", code, exits: 77)
                    // The same device may ask again, as after a lost answer.
                    _ = try await enrol(site, "agent", code)

                    let secret = try #require(InvitationCode(text: code)).secret.bytes
                    let log = gateway.program.transcript
                    #expect(log.contains("Enrolled"))
                    for form in [code, hexadecimal(secret), Data(secret).base64EncodedString()] {
                        #expect(!log.contains(form))
                    }
                }
            }
        }

        @Test func anExpiredCodeSetsNothingUp() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let code = try await invite(site, "cam", port: gateway.port)
                    let path = site.path("gateway") + "/invitations"
                    let text = try String(contentsOfFile: path, encoding: .utf8)
                    try text.replacing(/20\d\d-/, with: "2001-").write(toFile: path, atomically: true, encoding: .utf8)
                    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
                    _ = try await enrol(site, "agent", code, exits: 77)
                    // Another code of the same gateway goes on with the home that was made.
                    _ = try await enrol(site, "agent", try await invite(site, "cam", port: gateway.port))
                }
            }
        }

        /// While somebody is invited, unknown keys pass the handshake: to no avail without the secret.
        @Test func anInvitationOpensNothingToOthers() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let code = try #require(InvitationCode(text: try await invite(site, "cam", port: gateway.port)))
                    let unknown = try await site.makeAgent("unknown", port: gateway.port, gateways: [])
                    let file = try site.makeFile("file", bytes: 1_000)
                    try await unknown.expectRefusal(
                        site.push(file), Refusal(77, "notAuthorised", "does not know this device", do: "invite"))
                    let guess = InvitationCode(gateway: code.gateway, pin: code.pin, secret: try .random())
                    _ = try await enrol(site, "guesser", try guess.text(), exits: 77)
                    _ = try await enrol(site, "cam", try code.text())
                }
            }
        }

        @Test func theSecretIsForOneGatewayOnly() async throws {
            try await Site.with { site in
                try await Site.with { other in
                    try await other.withGateway { impostor in
                        let code = try await invite(site, "cam", port: impostor.port)
                        _ = try await enrol(site, "agent", code, exits: 77)
                        #expect(!impostor.program.transcript.contains("Enrolled"))
                    }
                }
            }
        }

        @Test func aCodeThatIsNotWholeOrComesTooEarlyIsSaidSo() async throws {
            try await Site.with { site in
                _ = try await enrol(site, "agent", "sluice1.AAAA", exits: 64)
                // Nobody listens there now.
                let port = try await site.withGateway { $0.port }
                let code = try await invite(site, "cam", port: port)
                _ = try await enrol(site, "agent", code, exits: 75)
                try await site.gateway(
                    ["device", "invite", "cam", "--home", site.path("gateway"), "--gateway", "nonsense"], exits: 64)
            }
        }

        /// A running gateway seals with the new key at once, and goes on with what the old one sealed.
        @Test func keysAreRotatedUnderARunningGateway() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeLargeFile()
                _ = try await site.pushAndKill(agent, file)
                let told = try await site.gateway(["keys", "rotate", "--home", site.path("gateway")])
                #expect(told.filter { $0.hasSuffix("  opening") }.count == 1)
                #expect(told.filter { $0.hasSuffix("  sealing") }.count == 1)
                #expect(try await site.gateway(["keys", "list", "--home", site.path("gateway")]) == told.dropLast())
                let ring = try String(contentsOfFile: site.path("gateway") + "/keys", encoding: .utf8)
                for line in ring.split(separator: "\n") where !line.hasPrefix("#") {
                    let secret = try #require(line.split(separator: " ").last)
                    #expect(!told.joined().contains(secret))
                }
                let resumed = try await agent.run(site.push(file))
                #expect(try (resumed.summary.bytesResumed ?? 0) > 0)
                try await site.expectObject("file", equals: file)
            }
        }
    }
}
