import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests of `serve --ca`: devices that are known by the names in their certificates.
    @Suite
    struct AuthorityTests {
        @Test(arguments: ["ed25519", "p256"])
        func certificateGrantsKeysBelowItsName(keyType: String) async throws {
            try await Site.servingWithAuthority { site, authority, gateway in
                let file = try site.makeFile("file", bytes: 100_000)
                for name in ["cam1", "cam2"] {
                    let agent = try await site.makeCertifiedAgent(
                        name, port: gateway.port, authority: authority, ["--key-type", keyType])
                    _ = try await agent.run(site.push(file))
                    try await site.expectObject("\(name)/file", equals: file)
                }
                try await site.expectNoObject("file")
            }
        }

        @Test func pinnedDevicesWorkBesideCertificates() async throws {
            try await Site.servingWithAuthority { site, authority, gateway in
                let file = try site.makeFile("file", bytes: 100_000)
                let pinned = try await site.makeAgent("ship", port: gateway.port, prefix: "sea/")
                let certified = try await site.makeCertifiedAgent("cam1", port: gateway.port, authority: authority)
                for agent in [pinned, certified] { _ = try await agent.run(site.push(file)) }
                try await site.expectObject("sea/file", equals: file)
                try await site.expectObject("cam1/file", equals: file)
            }
        }

        @Test func runningGatewayAppliesNewPrefix() async throws {
            try await Site.servingWithAuthority { site, authority, gateway in
                let file = try site.makeFile("file", bytes: 100_000)
                let agent = try await site.makeCertifiedAgent("cam1", port: gateway.port, authority: authority)
                try await site.gateway(
                    ["device", "add", "cam1", "--certificate", "--prefix", "yard/", "--home", site.path("gateway")])
                _ = try await agent.run(site.push(file))
                try await site.expectObject("yard/file", equals: file)
            }
        }

        @Test func revokedNameIsDisconnectedAndRefused() async throws {
            try await Site.servingWithAuthority { site, authority, gateway in
                let agent = try await site.makeCertifiedAgent("cam1", port: gateway.port, authority: authority)
                let other = try await site.makeCertifiedAgent("cam2", port: gateway.port, authority: authority)
                let file = try site.makeLargeFile()
                let home = ["--home", site.path("gateway")]
                let revoke = ["device", "revoke", "cam1", "--ca", authority.certificatePath] + home
                try await agent.start(site.slowPush(file, partsPerSecond: 1)) { program in
                    try await program.waitForStoredParts(1)
                    try await site.gateway(revoke)
                    #expect(try await program.waitForExit(within: .seconds(15)) == .exited(77))
                    #expect(AgentRun(program).outcomes == ["notAuthorised"])
                }
                let listed = try await site.gateway(["device", "list"] + home)
                #expect(listed.last == "cam1  revoked")
                try await agent.expectRefusal(
                    site.push(file), Refusal(77, "notAuthorised", "does not know this device", do: "device add"))
                _ = try await other.run(site.push(try site.makeFile("small", bytes: 1_000)))
                try await site.gateway(revoke, exits: 64)
                try await site.gateway(["device", "add", "cam1", "--certificate"] + home)
                let rest = try await agent.run(site.push(file))
                #expect(try rest.summary.bytesResumed ?? 0 >= UInt64(site.partBytes))
                try await site.expectObject("cam1/file", equals: file)
            }
        }

        /// The gateway identifies a device by the name in its certificate, so a device with a new key is the same
        /// device.
        @Test func renewedKeyResumesUpload() async throws {
            try await Site.servingWithAuthority { site, authority, gateway in
                let agent = try await site.makeCertifiedAgent("cam1", port: gateway.port, authority: authority)
                let file = try site.makeLargeFile()
                _ = try await site.pushAndKill(agent, file)
                // A renewal replaces key and certificate in the same home, with the same name.
                let renewed = try await site.makeCertifiedAgent(
                    "renewed", port: gateway.port, authority: authority, ["--name", "cam1", "--key-type", "p256"])
                for name in ["identity.key", "identity.crt"] {
                    try FileManager.default.removeItem(atPath: "\(agent.home)/\(name)")
                    try FileManager.default.copyItem(atPath: "\(renewed.home)/\(name)", toPath: "\(agent.home)/\(name)")
                }
                let rest = try await agent.run(site.push(file))
                #expect(try rest.summary.bytesResumed ?? 0 >= UInt64(3 * site.partBytes))
                try await site.expectObject("cam1/file", equals: file)
                try await site.expectNothingUnfinished()
            }
        }

        /// Two agents with the same certificate name are one device, whatever their keys.
        @Test func renewedKeyFencesOldKey() async throws {
            try await Site.servingWithAuthority { site, authority, gateway in
                let former = try await site.makeCertifiedAgent(
                    "former", port: gateway.port, authority: authority, ["--name", "cam1"])
                let renewed = try await site.makeCertifiedAgent(
                    "renewed", port: gateway.port, authority: authority, ["--name", "cam1"])
                let file = try site.makeLargeFile()
                try await former.start(site.slowPush(file, partsPerSecond: 1)) { program in
                    try await program.waitForStoredParts(1)
                    _ = try await renewed.run(site.push(try site.makeFile("small", bytes: 1_000)))
                    #expect(try await program.waitForExit(within: Site.deadline) == .exited(75))
                    #expect(AgentRun(program).outcomes == ["fenced"])
                }
            }
        }

        @Test func pinnedDeviceResumesWithCertificate() async throws {
            try await Site.servingWithAuthority { site, authority, gateway in
                let agent = try await site.makeCertifiedAgent("cam1", port: gateway.port, authority: authority)
                try await pin("cam1", to: agent, of: site)
                let file = try site.makeLargeFile()
                _ = try await site.pushAndKill(agent, file)
                let home = ["--home", site.path("gateway")]
                try await site.gateway(["device", "revoke", "cam1"] + home)
                try await agent.expectRefusal(
                    site.push(file), Refusal(77, "notAuthorised", "does not know this device", do: "device add"))
                try await site.gateway(["device", "add", "cam1", "--certificate"] + home)
                let rest = try await agent.run(site.push(file))
                #expect(try rest.summary.bytesResumed ?? 0 >= UInt64(3 * site.partBytes))
                try await site.expectObject("cam1/file", equals: file)
            }
        }

        @Test func certificateCannotTakeNameOfPinnedDevice() async throws {
            try await Site.servingWithAuthority { site, authority, gateway in
                let file = try site.makeFile("file", bytes: 100_000)
                let owner = try await site.makeAgent("cam1", port: gateway.port, prefix: "cam1/")
                let impostor = try await site.makeCertifiedAgent(
                    "impostor", port: gateway.port, authority: authority, ["--name", "cam1"])
                try await impostor.expectRefusal(
                    site.push(file), Refusal(77, "notAuthorised", "does not know this device", do: "device add"))
                _ = try await owner.run(site.push(file))
                try await site.expectObject("cam1/file", equals: file)
                // The key of this device is on the list. So the device has the name in the list, not the name in its
                // certificate.
                let renamed = try await site.makeCertifiedAgent("cam2", port: gateway.port, authority: authority)
                try await pin("cam3", to: renamed, of: site)
                _ = try await renamed.run(site.push(file))
                try await site.expectObject("cam3/file", equals: file)
                try await site.expectNoObject("cam2/file")
            }
        }

        @Test func pinningANameDisconnectsItsCertificate() async throws {
            try await Site.servingWithAuthority { site, authority, gateway in
                let agent = try await site.makeCertifiedAgent("cam1", port: gateway.port, authority: authority)
                try await agent.start(site.slowPush(try site.makeLargeFile(), partsPerSecond: 1)) { program in
                    try await program.waitForStoredParts(1)
                    let digits = String(repeating: "7", count: 64)
                    try await site.gateway(
                        ["device", "add", "cam1", "--fingerprint", "sha256:\(digits)", "--home", site.path("gateway")])
                    #expect(try await program.waitForExit(within: .seconds(15)) == .exited(77))
                }
            }
        }

        private func pin(_ name: String, to agent: AgentHandle, of site: Site) async throws {
            let pem = try await output(
                of: "openssl", "x509", "-in", "\(agent.home)/identity.crt", "-pubkey", "-noout")
            let key = site.path("key.pem")
            try pem.joined(separator: "\n").appending("\n").write(toFile: key, atomically: true, encoding: .utf8)
            try await output(
                of: "openssl", "pkey", "-pubin", "-in", key, "-outform", "der", "-out", site.path("key.der"))
            let digest = try #require(
                try await output(of: "sha256sum", site.path("key.der")).first?.split(separator: " ").first)
            try await site.gateway(
                [
                    "device", "add", name, "--fingerprint", "sha256:\(digest)", "--prefix", "\(name)/", "--home",
                    site.path("gateway"),
                ])
        }
    }
}
