import Cryptography
import Foundation
import SecureChannel
import TestSupport
import Testing
import TransferCommon
import WireProtocol

extension EndToEndTests {
    /// Tests of adding devices by invitation, with the real programs.
    @Suite
    struct EnrolmentTests {
        /// - Returns: the invitation's code, which `device invite` prints as its last line.
        private func invite(_ site: Site, _ name: String, port: Int, _ options: [String] = []) async throws -> String {
            let arguments = [
                "device", "invite", name, "--home", site.path("gateway"), "--gateway", "127.0.0.1:\(port)",
            ]
            return try #require(try await site.gateway(arguments + options).last)
        }

        @discardableResult
        private func enrol(_ site: Site, _ home: String, _ code: String, exits status: Int32 = 0) async throws
            -> Program
        {
            let program = try await run(
                try .built("sluice-agent"), ["init", "--home", site.path(home), "--invite", code], within: Site.deadline
            )
            #expect(program.exitStatus == .exited(status), "\(program.transcript)")
            return program
        }

        @Test func codeSetsUpDevice() async throws {
            try await Site.with { site in
                try await site.withGateway(["--verbose"]) { gateway in
                    let code = try await invite(site, "cam", port: gateway.port, ["--prefix", "cams/cam/"])
                    try await enrol(site, "agent", code)
                    let agent = AgentHandle(home: site.path("agent"), program: try .built("sluice-agent"))
                    let file = try site.makeFile("file", bytes: 100_000)
                    _ = try await agent.run(site.push(file))
                    try await site.expectObject("cams/cam/file", equals: file)

                    try await enrol(site, "thief", code, exits: 77)
                    // The same device may use the code again, for example after a lost answer.
                    try await enrol(site, "agent", code)

                    let secret = try #require(InvitationCode(text: code)).secret.bytes
                    let log = gateway.program.transcript
                    #expect(log.contains("Enrolled"))
                    for form in [code, hexadecimal(secret), Data(secret).base64EncodedString()] {
                        #expect(!log.contains(form))
                    }
                }
            }
        }

        /// A gateway answers a further invitation of a device that it knows, and does not use it.
        @Test func aNewInvitationOfAnEnrolledHomeIsReported() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let code = try await invite(site, "cam", port: gateway.port)
                    try await enrol(site, "agent", code)
                    let again = try await enrol(site, "agent", code)
                    #expect(again.transcript.contains("Made this device's home"), "\(again.transcript)")
                    let other = try await enrol(site, "agent", try await invite(site, "other", port: gateway.port))
                    #expect(other.transcript.contains("the new invitation was not used"), "\(other.transcript)")
                    #expect(other.transcript.contains("knows it as cam;"), "\(other.transcript)")
                }
            }
        }

        @Test func aHomeMovesToAnotherSiteWithItsJournal() async throws {
            try await Site.with { site in
                try await Site.with { second in
                    try await site.withGateway { old in
                        try await second.withGateway { new in
                            try await enrol(site, "agent", try await invite(site, "cam", port: old.port))
                            let agent = AgentHandle(home: site.path("agent"), program: try .built("sluice-agent"))
                            let file = try site.makeLargeFile()
                            _ = try await site.pushAndKill(agent, file)
                            let code = try await invite(second, "cam", port: new.port)
                            let refused = try await enrol(site, "agent", code, exits: 66)
                            #expect(refused.transcript.contains("--repin"), "\(refused.transcript)")
                            let arguments = ["init", "--home", agent.home, "--repin", "--invite", code]
                            let moved = try await run(agent.program, arguments, within: Site.deadline)
                            #expect(moved.exitStatus == .exited(0), "\(moved.transcript)")
                            #expect(try await agent.unfinished().count == 1, "the journal stays")
                            let pushed = try await agent.run(site.push(file))
                            #expect(pushed.outcomes == ["stored"])
                            try await second.expectObject("cam/file", equals: file)
                        }
                    }
                }
            }
        }

        /// ENROL needs TLS, so a gateway without it can take no invitation.
        @Test func aGatewayWithoutTLSTakesNoInvitation() async throws {
            try await Site.with { site in
                try await site.withGateway(["--plaintext"]) { gateway in
                    let told = try await enrol(
                        site, "agent", try await invite(site, "cam", port: gateway.port), exits: 76)
                    #expect(told.transcript.contains("serve without --plaintext"), "\(told.transcript)")
                }
            }
        }

        /// With an empty prefix the operator lets a device write any key.
        @Test func devicePrefixIsItsName() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let file = try site.makeFile("file", bytes: 1_000)
                    for (name, options, key) in [("cam", [], "cam/file"), ("any", ["--prefix", ""], "file")] {
                        let told = try await site.gateway(
                            [
                                "device", "invite", name, "--home", site.path("gateway"), "--gateway",
                                "127.0.0.1:\(gateway.port)",
                            ] + options)
                        let permission = options.isEmpty ? "begin with cam/" : "may write any key"
                        #expect(told.contains { $0.contains(permission) }, "\(told)")
                        try await enrol(site, name, try #require(told.last))
                        let agent = AgentHandle(home: site.path(name), program: try .built("sluice-agent"))
                        _ = try await agent.run(site.push(file))
                        try await site.expectObject(key, equals: file)
                    }
                    let digits = String(repeating: "7", count: 64)
                    let added = ["device", "add", "pinned", "--fingerprint", "sha256:\(digits)"]
                    let told = try await site.gateway(added + ["--home", site.path("gateway")])
                    #expect(told.contains { $0.contains("begin with pinned/") }, "\(told)")
                    let listed = try await site.gateway(["device", "list", "--home", site.path("gateway")])
                    #expect(listed.contains("# any may write any key"), "\(listed)")
                }
            }
        }

        @Test func expiredCodeIsRefused() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let code = try await invite(site, "cam", port: gateway.port)
                    let path = site.path("gateway") + "/invitations"
                    let text = try String(contentsOfFile: path, encoding: .utf8)
                    try text.replacing(/20\d\d-/, with: "2001-").write(toFile: path, atomically: true, encoding: .utf8)
                    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
                    try await enrol(site, "agent", code, exits: 77)
                    // After the refused code the agent has a home already. A new code of the same gateway still adds
                    // the device.
                    try await enrol(site, "agent", try await invite(site, "cam", port: gateway.port))
                }
            }
        }

        /// While an invitation is open, the gateway completes the handshake with unknown keys.
        @Test func invitationAdmitsNoOtherDevice() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let code = try #require(InvitationCode(text: try await invite(site, "cam", port: gateway.port)))
                    let unknown = try await site.makeAgent("unknown", port: gateway.port, gateways: [])
                    let file = try site.makeFile("file", bytes: 1_000)
                    try await unknown.expectRefusal(
                        site.push(file), Refusal(77, "notAuthorised", "does not know this device", do: "invite"))
                    let guess = InvitationCode(gateway: code.gateway, pin: code.pin, secret: try .random())
                    try await enrol(site, "guesser", try guess.text(), exits: 77)
                    try await enrol(site, "cam", try code.text())
                }
            }
        }

        @Test func deviceWithoutCertificateCanBeInvited() async throws {
            try await Site.servingWithAuthority { site, authority, gateway in
                let code = try await invite(site, "cam", port: gateway.port, ["--prefix", "cam/"])
                let certified = try await site.makeCertifiedAgent("cam1", port: gateway.port, authority: authority)
                let file = try site.makeFile("file", bytes: 1_000)
                _ = try await certified.run(site.push(file))
                try await site.expectObject("cam1/file", equals: file)
                try await enrol(site, "agent", code)
                let agent = AgentHandle(home: site.path("agent"), program: try .built("sluice-agent"))
                _ = try await agent.run(site.push(file))
                try await site.expectObject("cam/file", equals: file)
            }
        }

        /// An attacker that enrols the key of a listed device would obtain the name and the prefix of the device.
        @Test func unprovedKeyCannotEnrol() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let code = try #require(InvitationCode(text: try await invite(site, "cam", port: gateway.port)))
                    let home = site.path("unlisted")
                    try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
                    let unlisted = try Identity.create(in: home, name: "unlisted")
                    let tls = try TLSContext.agent(identity: unlisted, gateway: .pinnedKeys([code.pin]))
                    let frame = Enrol(fingerprint: try .of([1]), secret: code.secret, software: "")
                    let answer = try await OneFrameClient.answer(to: .enrol(frame), port: gateway.port, tls: tls)
                    #expect(Self.code(answer) == .notAuthorised)
                    let ping = Frame.ping(Ping(nonce: 1))
                    let other = try await OneFrameClient.answer(to: ping, port: gateway.port, tls: tls)
                    #expect(Self.code(other) == .unexpectedFrame)
                    try await enrol(site, "cam", try code.text())
                }
            }
        }

        /// A connection over plain TCP proves no key, so the gateway has no key that it could put on the list.
        @Test func enrolmentNeedsTLS() async throws {
            try await Site.with { site in
                try await site.withGateway(["--plaintext"]) { gateway in
                    let code = try #require(InvitationCode(text: try await invite(site, "cam", port: gateway.port)))
                    let frame = Enrol(fingerprint: try .of([1]), secret: code.secret, software: "")
                    let answer = try await OneFrameClient.answer(to: .enrol(frame), port: gateway.port, tls: nil)
                    #expect(Self.code(answer) == .unexpectedFrame)
                    let listed = try await site.gateway(["device", "list", "--home", site.path("gateway")])
                    #expect(!listed.contains { $0.hasPrefix("cam ") })
                }
            }
        }

        private static func code(_ frame: Frame) -> ErrorCode? {
            if case .error(let report) = frame { report.code } else { nil }
        }

        /// The other gateway has an open invitation: if it received the secret, it would log `invitation_invalid`.
        @Test func secretIsBoundToOneGateway() async throws {
            try await Site.with { site in
                try await Site.with { other in
                    try await other.withGateway(["--verbose"]) { impostor in
                        _ = try await invite(other, "bait", port: impostor.port)
                        let code = try await invite(site, "cam", port: impostor.port)
                        let told = try await enrol(site, "agent", code, exits: 77)
                        #expect(told.transcript.contains("is not the gateway that made the code"))
                        #expect(!impostor.program.transcript.contains("invitation_invalid"), "it has seen the secret")
                    }
                }
            }
        }

        @Test func incompleteOrEarlyCodeIsReported() async throws {
            try await Site.with { site in
                try await enrol(site, "agent", "sluice1.AAAA", exits: 64)
                // The gateway that had this port has stopped.
                let port = try await site.withGateway { $0.port }
                try await enrol(site, "agent", try await invite(site, "cam", port: port), exits: 75)
                // After the failed attempt the agent has a home already. A code of the same gateway with another
                // address still adds the device.
                _ = try await site.withGateway { gateway in
                    try await enrol(site, "agent", try await invite(site, "cam", port: gateway.port))
                }
                try await site.gateway(
                    ["device", "invite", "cam", "--home", site.path("gateway"), "--gateway", "nonsense"], exits: 64)
            }
        }

        @Test func runningGatewayFollowsKeyRotation() async throws {
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

        /// The ring without its retired key opens the tokens that the gateway sealed with the new key.
        @Test func aRunningGatewaySealsWithTheNewKey() async throws {
            try await Site.with { site in
                let keys = site.path("gateway") + "/keys"
                let file = try site.makeLargeFile()
                let agent = try await site.withGateway(["--verbose"]) { gateway in
                    let agent = try await site.makeAgent(port: gateway.port)
                    try await site.gateway(["keys", "rotate", "--home", site.path("gateway")])
                    try await gateway.program.waitForLine {
                        $0.contains("Read a file again") && $0.contains("key ring")
                    }
                    _ = try await site.pushAndKill(agent, file)
                    return agent
                }
                let ring = try String(contentsOfFile: keys, encoding: .utf8).split(separator: "\n")
                #expect(ring.contains { $0.contains(" retired ") })
                try ring.filter { !$0.contains(" retired ") }.joined(separator: "\n")
                    .write(toFile: keys, atomically: false, encoding: .utf8)
                try await site.withGateway { gateway in
                    let resumed = try await agent.run(site.push(file) + ["--gateway", "127.0.0.1:\(gateway.port)"])
                    #expect(try (resumed.summary.bytesResumed ?? 0) > 0)
                    try await site.expectObject("file", equals: file)
                }
            }
        }
    }
}
