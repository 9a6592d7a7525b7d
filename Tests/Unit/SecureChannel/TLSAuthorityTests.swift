import Cryptography
import CryptographySupport
import Foundation
import NIOCore
import NIOEmbedded
import SecureChannel
import SystemSupport
import TestSupport
import Testing

/// Both sides authenticate each other with certificates of a private authority.
@Suite struct TLSAuthorityTests {
    private struct Outcome {
        let agent: (peer: TLSPeer?, errors: [TLSError])
        let gateway: (peer: TLSPeer?, errors: [TLSError])
    }

    private struct World {
        let directory: URL
        let authority: Authority
        let foreign: Authority

        func device(
            _ name: String = "device 7", keyType: KeyType = .ed25519, validity: Authority.Validity = .now,
            extensions: String = ""
        ) async throws -> Identity {
            try await authority.makeIdentity(
                in: directory, commonName: name, keyType: keyType, validity: validity, extensions: extensions)
        }

        func gateway(
            keyType: KeyType = .ed25519, validity: Authority.Validity = .now
        ) async throws -> Identity {
            try await authority.makeIdentity(
                in: directory, commonName: "gateway.example", keyType: keyType, validity: validity)
        }

        /// A device whose certificate names the authority but has a wrong signature.
        func forgedDevice() async throws -> Identity {
            let home = directory.file("forged")
            try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: false)
            _ = try Identity.create(in: home, name: "device 7")
            try await authority.sign("\(home)/identity.csr", to: "\(home)/identity.crt")
            let lines = String(decoding: try contents(of: "\(home)/identity.crt"), as: UTF8.self).split(separator: "\n")
            var certificate = Array(
                try #require(Data(base64Encoded: lines.filter { !$0.hasPrefix("-") }.joined())))
            // The signature is the last field of a certificate.
            certificate[certificate.count - 1] ^= 1
            let text = Data(certificate).base64EncodedString(options: [.lineLength64Characters, .endLineWithLineFeed])
            try write(
                "-----BEGIN CERTIFICATE-----\n\(text)\n-----END CERTIFICATE-----\n", to: "\(home)/identity.crt")
            return try Identity.load(from: home)
        }

        func shakeHands(
            device: Identity, gateway: Identity, gatewayName: String = "gateway.example",
            isPinned: @escaping @Sendable (Fingerprint) -> Bool = { _ in false }, isAwaited: Bool = false,
            pieceBytes: Int = .max, accepts: @escaping @Sendable (TLSPeer) -> Bool = { _ in true }
        ) throws -> Outcome {
            let pair = try TLSPair(
                agent: .agent(
                    identity: device, gateway: .authority(authority.trusted, gatewayName: gatewayName)),
                gateway: .gateway(
                    identity: gateway,
                    devices: .authority(
                        authority.trusted, isPinned: isPinned, isAwaited: { isAwaited }, accepts: accepts)))
            try pair.exchange(toGateway: { min($0, pieceBytes) })
            #expect(OpenSSLErrorQueue.isEmpty)
            return Outcome(
                agent: (pair.agent.application.peer, pair.agent.application.errors),
                gateway: (pair.gateway.application.peer, pair.gateway.application.errors))
        }
    }

    private func withWorld(_ body: (World) async throws -> Void) async throws {
        try await withTemporaryDirectory("authority") { directory in
            try await body(
                World(
                    directory: directory, authority: Authority(in: directory.appending(path: "first")),
                    foreign: Authority(in: directory.appending(path: "second"))))
        }
    }

    /// The agent stores the gateway's certificates with its receipts, so that a user can later verify the signer
    /// against the authority.
    @Test func agentSeesTheGatewaysCertificates() async throws {
        try await withWorld { world in
            let below = try await world.authority.makeAuthorityBelow(in: world.directory.appending(path: "below"))
            let gateway = try await below.makeIdentity(in: world.directory, commonName: "gateway.example")
            let pair = try TLSPair(
                agent: .agent(
                    identity: await world.device(),
                    gateway: .authority(world.authority.trusted, gatewayName: "gateway.example")),
                gateway: .gateway(identity: gateway, devices: .pinnedKeys { _ in true }))
            let handler = try pair.agent.channel.pipeline.syncOperations.handler(type: TLSHandler.self)
            #expect(handler.peerCertificates.isEmpty)
            try pair.exchange()
            let shown = handler.peerCertificates
            #expect(shown.count == 2)
            try world.authority.trusted.check(
                key: gateway.fingerprint, certificates: shown, gatewayName: "gateway.example",
                atMilliseconds: Int64(Date().timeIntervalSince1970 * 1_000))
            #expect(OpenSSLErrorQueue.isEmpty)
        }
    }

    @Test func bothSidesLearnCertifiedNames() async throws {
        try await withWorld { world in
            let device = try await world.authority.makeIdentity(
                in: world.directory, commonName: "device 7", alternativeNames: "DNS:other")
            let gateway = try await world.authority.makeIdentity(
                in: world.directory, commonName: "x", alternativeNames: "DNS:gateway.example")
            let outcome = try world.shakeHands(device: device, gateway: gateway)
            #expect(outcome.gateway.peer == TLSPeer(fingerprint: device.fingerprint, name: "device 7"))
            #expect(outcome.agent.peer?.fingerprint == gateway.fingerprint)
            #expect(outcome.agent.errors + outcome.gateway.errors == [])
        }
    }

    @Test(arguments: KeyType.allCases, KeyType.allCases)
    func keysOfBothKindsMeet(ofDevice: KeyType, ofGateway: KeyType) async throws {
        try await withWorld { world in
            let device = try await world.device(keyType: ofDevice)
            let gateway = try await world.gateway(keyType: ofGateway)
            let outcome = try world.shakeHands(device: device, gateway: gateway)
            #expect(outcome.gateway.peer?.fingerprint == device.fingerprint)
            #expect(outcome.agent.peer?.fingerprint == gateway.fingerprint)
        }
    }

    /// While an invitation is open, a device needs no valid chain. OpenSSL still verifies the chain, and fails. This
    /// failure must not end the handshake, even if the next message arrives later and in pieces.
    @Test(arguments: [1, 64, .max]) func invitedDeviceMayHaveAForgedCertificate(pieceBytes: Int) async throws {
        try await withWorld { world in
            let (device, gateway) = (try await world.forgedDevice(), try await world.gateway())
            let refused = try world.shakeHands(device: device, gateway: gateway, pieceBytes: pieceBytes)
            #expect(refused.gateway.errors.map(\.code) == [.untrustedCertificate])
            let outcome = try world.shakeHands(
                device: device, gateway: gateway, isAwaited: true, pieceBytes: pieceBytes)
            #expect(outcome.gateway.errors == [])
            #expect(outcome.gateway.peer == TLSPeer(fingerprint: device.fingerprint, name: nil))
        }
    }

    @Test func aNameOnTheListDecides() async throws {
        try await withWorld { world in
            let (device, gateway) = (try await world.device(), try await world.gateway())
            for name in ["device 7", "device 8"] {
                let outcome = try world.shakeHands(device: device, gateway: gateway, accepts: { $0.name == name })
                #expect((outcome.gateway.peer != nil) == (name == "device 7"))
            }
        }
    }

    @Test func aDeviceOfAnotherAuthorityIsRefused() async throws {
        try await withWorld { world in
            let gateway = try await world.gateway()
            let foreignDevices = [
                try await world.foreign.makeIdentity(in: world.directory, commonName: "device 7"),
                try Site.deviceIdentity.get(),
            ]
            for device in foreignDevices {
                let outcome = try world.shakeHands(device: device, gateway: gateway)
                #expect(outcome.gateway.errors.map(\.code) == [.untrustedCertificate])
                #expect(outcome.gateway.peer == nil)
                #expect(outcome.agent.errors.map(\.code) == [.refusedByPeer(.unknownAuthority)])
            }
        }
    }

    /// A gateway that has pinned a device's key needs no authority for it, and takes no name from the certificate.
    @Test func aPinnedKeySpeaksForItself() async throws {
        try await withWorld { world in
            let gateway = try await world.gateway()
            for device in [try Site.deviceIdentity.get(), try await world.device("device 8")] {
                let pin = device.fingerprint
                let outcome = try world.shakeHands(
                    device: device, gateway: gateway, isPinned: { $0 == pin }, accepts: { _ in false })
                #expect(outcome.gateway.peer == TLSPeer(fingerprint: pin, name: nil))
                #expect(outcome.agent.errors + outcome.gateway.errors == [])
            }
        }
    }

    /// While an invitation is open, the gateway also lets in a device without a certificate of the authority, and gives
    /// it no name. A device with such a certificate keeps its name.
    @Test func enrollingPeersHaveNoName() async throws {
        try await withWorld { world in
            let gateway = try await world.gateway()
            for (device, name) in [(try Site.deviceIdentity.get(), nil), (try await world.device(), "device 7")] {
                let outcome = try world.shakeHands(device: device, gateway: gateway, isAwaited: true)
                #expect(outcome.gateway.peer == TLSPeer(fingerprint: device.fingerprint, name: name))
                #expect(outcome.agent.errors + outcome.gateway.errors == [])
            }
        }
    }

    @Test func aGatewayOfAnotherAuthorityIsRefused() async throws {
        try await withWorld { world in
            let device = try await world.device()
            let gateway = try await world.foreign.makeIdentity(
                in: world.directory, commonName: "gateway.example")
            let outcome = try world.shakeHands(device: device, gateway: gateway)
            #expect(outcome.agent.errors.map(\.code) == [.untrustedCertificate])
            #expect(outcome.agent.peer == nil)
        }
    }

    @Test func aDeviceCannotPoseAsTheGateway() async throws {
        try await withWorld { world in
            let outcome = try world.shakeHands(
                device: try await world.device(), gateway: try await world.device("device 8"))
            #expect(outcome.agent.errors.map(\.code) == [.unexpectedName])
            #expect(outcome.gateway.errors.map(\.code) == [.refusedByPeer(.badCertificate)])
        }
    }

    @Test func aGatewayMayBeNamedByItsAddress() async throws {
        try await withWorld { world in
            let device = try await world.device()
            let gateway = try await world.authority.makeIdentity(
                in: world.directory, commonName: "x", alternativeNames: "IP:192.0.2.7")
            for (name, isRight) in [("192.0.2.7", true), ("192.0.2.8", false), ("x", true)] {
                let outcome = try world.shakeHands(device: device, gateway: gateway, gatewayName: name)
                #expect((outcome.agent.peer != nil) == isRight, "\(name)")
            }
        }
    }

    /// Only the gateway checks the dates of certificates. Its clock is reliable; a device's clock may be wrong.
    @Test(arguments: [
        (Authority.Validity.formerly, TLSAlert.certificateExpired, "expired"),
        (Authority.Validity.later, TLSAlert.badCertificate, "not yet valid"),
    ])
    func onlyTheGatewayChecksDates(
        validity: Authority.Validity, alert: TLSAlert, reason: String
    ) async throws {
        try await withWorld { world in
            let gateway = try await world.gateway(validity: validity)
            let tolerated = try world.shakeHands(device: try await world.device(), gateway: gateway)
            #expect(tolerated.agent.errors + tolerated.gateway.errors == [])
            let refused = try world.shakeHands(
                device: try await world.device(validity: validity), gateway: gateway)
            #expect(refused.gateway.errors.map(\.code) == [.untrustedCertificate])
            #expect(refused.gateway.peer == nil)
            #expect(String(reflecting: refused.gateway.errors[0]).contains(reason))
            #expect(refused.agent.errors.map(\.code) == [.refusedByPeer(alert)])
        }
    }

    /// The extended key usage of a certificate may restrict it to servers or to clients. The gateway refuses a device
    /// whose certificate is for servers only.
    @Test(arguments: [("serverAuth", false), ("clientAuth", true)])
    func serverCertificateIsNoDevice(purpose: String, isDevice: Bool) async throws {
        try await withWorld { world in
            let device = try await world.device(extensions: "extendedKeyUsage=\(purpose)")
            let outcome = try world.shakeHands(device: device, gateway: try await world.gateway())
            #expect((outcome.gateway.peer != nil) == isDevice)
        }
    }

    @Test func aChainLeadsFromBothSidesToTheAuthority() async throws {
        try await withWorld { world in
            let below = try await world.authority.makeAuthorityBelow(in: world.directory.appending(path: "below"))
            let lowest = try await below.makeAuthorityBelow(in: world.directory.appending(path: "lowest"))
            let device = try await lowest.makeIdentity(in: world.directory, commonName: "device 7")
            let gateway = try await below.makeIdentity(in: world.directory, commonName: "gateway.example")
            let outcome = try world.shakeHands(device: device, gateway: gateway)
            #expect(outcome.gateway.peer == TLSPeer(fingerprint: device.fingerprint, name: "device 7"))
            #expect(outcome.agent.peer?.fingerprint == gateway.fingerprint)
        }
    }

    /// A user may trust a subordinate authority instead of the root.
    @Test func namedIntermediateEndsTheChain() async throws {
        try await withWorld { world in
            let below = try await world.authority.makeAuthorityBelow(in: world.directory.appending(path: "below"))
            let narrow = World(directory: world.directory, authority: below, foreign: world.foreign)
            let gateway = try await narrow.gateway()
            #expect(try narrow.shakeHands(device: try await narrow.device(), gateway: gateway).gateway.peer != nil)
            let sibling = try narrow.shakeHands(device: try await world.device(), gateway: gateway)
            #expect(sibling.gateway.errors.map(\.code) == [.untrustedCertificate])
        }
    }

    @Test func aChainWithAGapIsRefused() async throws {
        try await withWorld { world in
            let below = try await world.authority.makeAuthorityBelow(in: world.directory.appending(path: "below"))
            let home = world.directory.file("gap")
            try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: false)
            _ = try Identity.create(in: home, name: "device 7")
            try await below.sign("\(home)/identity.csr", to: "\(home)/identity.crt")
            let chain = String(decoding: try contents(of: "\(home)/identity.crt"), as: UTF8.self)
            let end = try #require(chain.range(of: "-----END CERTIFICATE-----\n"))
            try write(String(chain[..<end.upperBound]), to: "\(home)/identity.crt")
            let outcome = try world.shakeHands(
                device: try Identity.load(from: home), gateway: try await world.gateway())
            #expect(outcome.gateway.errors.map(\.code) == [.untrustedCertificate])
        }
    }

    @Test func unusableAuthorityIsReported() async throws {
        try await withWorld { world in
            let path = world.directory.file("file")
            let missing = CertificateAuthorityError.file(FileError(FileCall(.openFile, path), errno: ENOENT))
            #expect(throws: missing) { try CertificateAuthority.load(from: path) }
            try write("no certificate", to: path)
            #expect(throws: CertificateAuthorityError.noCertificate(path: path)) {
                try CertificateAuthority.load(from: path)
            }
            _ = try Identity.create(in: world.directory.directoryPath, name: "device 7")
            let own = world.directory.file("identity.crt")
            #expect(throws: CertificateAuthorityError.noAuthority(path: own, name: "device 7")) {
                try CertificateAuthority.load(from: own)
            }
            #expect(OpenSSLErrorQueue.isEmpty)
        }
    }
}
