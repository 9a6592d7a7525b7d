import Foundation
import SecureChannel
import TestSupport
import Testing

/// Both sides know each other by certificates of a private authority.
@Suite struct TLSAuthorityTests {
    private struct Outcome {
        let agent: (peer: TLSPeer?, errors: [TLSError])
        let gateway: (peer: TLSPeer?, errors: [TLSError])
    }

    private func shakeHands(
        device: Identity, gateway: Identity, agentTrusts: Authority, gatewayTrusts: Authority,
        gatewayName: String = "gateway.example", accepts: @escaping @Sendable (TLSPeer) -> Bool = { _ in true }
    ) throws -> Outcome {
        let pair = try TLSPair(
            agent: .agent(
                identity: device,
                gateway: .authority(path: agentTrusts.certificatePath, gatewayName: gatewayName)),
            gateway: .gateway(
                identity: gateway, devices: .authority(path: gatewayTrusts.certificatePath, accepts: accepts)))
        try pair.exchange()
        #expect(OpenSSLErrorQueue.isEmpty)
        return Outcome(
            agent: (pair.agent.application.peer, pair.agent.application.errors),
            gateway: (pair.gateway.application.peer, pair.gateway.application.errors))
    }

    private func makeAuthority(in directory: URL, _ name: String = "first") async throws -> Authority {
        let directory = directory.appending(path: name)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
        return try await Authority(in: directory)
    }

    @Test func bothLearnTheNamesThatTheAuthorityVouchesFor() async throws {
        try await withTemporaryDirectory("authority") { directory in
            let authority = try await makeAuthority(in: directory)
            let device = try await authority.makeIdentity(commonName: "device 7", alternativeNames: "DNS:other")
            let gateway = try await authority.makeIdentity(commonName: "x", alternativeNames: "DNS:gateway.example")
            let outcome = try shakeHands(
                device: device, gateway: gateway, agentTrusts: authority, gatewayTrusts: authority)
            #expect(outcome.gateway.peer == TLSPeer(fingerprint: device.fingerprint, name: "device 7"))
            #expect(outcome.agent.peer?.fingerprint == gateway.fingerprint)
            #expect(outcome.agent.errors + outcome.gateway.errors == [])
        }
    }

    @Test func aNameOnTheListDecides() async throws {
        try await withTemporaryDirectory("authority") { directory in
            let authority = try await makeAuthority(in: directory)
            let device = try await authority.makeIdentity(commonName: "device 7")
            let gateway = try await authority.makeIdentity(commonName: "gateway.example")
            for name in ["device 7", "device 8"] {
                let outcome = try shakeHands(
                    device: device, gateway: gateway, agentTrusts: authority, gatewayTrusts: authority,
                    accepts: { $0.name == name })
                #expect((outcome.gateway.peer != nil) == (name == "device 7"))
            }
        }
    }

    @Test func aDeviceOfAnotherAuthorityIsRefused() async throws {
        try await withTemporaryDirectory("authority") { directory in
            let authority = try await makeAuthority(in: directory)
            let foreign = try await makeAuthority(in: directory, "second")
            let gateway = try await authority.makeIdentity(commonName: "gateway.example")
            let strangers = [
                try await foreign.makeIdentity(commonName: "device 7"), try Site.deviceIdentity.get(),
            ]
            for stranger in strangers {
                let outcome = try shakeHands(
                    device: stranger, gateway: gateway, agentTrusts: authority, gatewayTrusts: authority)
                #expect(outcome.gateway.errors.map(\.code) == [.untrustedCertificate])
                #expect(outcome.gateway.peer == nil)
                #expect(outcome.agent.errors.map(\.code) == [.refusedByPeer(.unknownAuthority)])
            }
        }
    }

    @Test func aGatewayOfAnotherAuthorityIsRefused() async throws {
        try await withTemporaryDirectory("authority") { directory in
            let authority = try await makeAuthority(in: directory)
            let foreign = try await makeAuthority(in: directory, "second")
            let device = try await authority.makeIdentity(commonName: "device 7")
            let gateway = try await foreign.makeIdentity(commonName: "gateway.example")
            let outcome = try shakeHands(
                device: device, gateway: gateway, agentTrusts: authority, gatewayTrusts: authority)
            #expect(outcome.agent.errors.map(\.code) == [.untrustedCertificate])
            #expect(outcome.agent.peer == nil)
        }
    }

    @Test func aDeviceCannotPoseAsTheGateway() async throws {
        try await withTemporaryDirectory("authority") { directory in
            let authority = try await makeAuthority(in: directory)
            let device = try await authority.makeIdentity(commonName: "device 7")
            let other = try await authority.makeIdentity(commonName: "device 8")
            let outcome = try shakeHands(
                device: device, gateway: other, agentTrusts: authority, gatewayTrusts: authority)
            #expect(outcome.agent.errors.map(\.code) == [.unexpectedName])
            #expect(outcome.gateway.errors.map(\.code) == [.refusedByPeer(.badCertificate)])
        }
    }

    @Test func aGatewayMayBeNamedByItsAddress() async throws {
        try await withTemporaryDirectory("authority") { directory in
            let authority = try await makeAuthority(in: directory)
            let device = try await authority.makeIdentity(commonName: "device 7")
            let gateway = try await authority.makeIdentity(commonName: "x", alternativeNames: "IP:192.0.2.7")
            for (name, isRight) in [("192.0.2.7", true), ("192.0.2.8", false), ("x", true)] {
                let outcome = try shakeHands(
                    device: device, gateway: gateway, agentTrusts: authority, gatewayTrusts: authority,
                    gatewayName: name)
                #expect((outcome.agent.peer != nil) == isRight, "\(name)")
            }
        }
    }

    /// The gateway's clock is kept right; a device's may say anything.
    @Test func theGatewayMindsDatesAndTheAgentDoesNot() async throws {
        try await withTemporaryDirectory("authority") { directory in
            let authority = try await makeAuthority(in: directory)
            let device = try await authority.makeIdentity(commonName: "device 7")
            let expiredDevice = try await authority.makeIdentity(commonName: "device 7", days: -1)
            let expiredGateway = try await authority.makeIdentity(commonName: "gateway.example", days: -1)
            let tolerated = try shakeHands(
                device: device, gateway: expiredGateway, agentTrusts: authority, gatewayTrusts: authority)
            #expect(tolerated.agent.errors + tolerated.gateway.errors == [])
            let refused = try shakeHands(
                device: expiredDevice, gateway: expiredGateway, agentTrusts: authority, gatewayTrusts: authority)
            #expect(refused.gateway.errors.map(\.code) == [.untrustedCertificate])
            #expect(refused.gateway.peer == nil)
            #expect(String(reflecting: refused.gateway.errors[0]).contains("expired"))
            #expect(refused.agent.errors.map(\.code) == [.refusedByPeer(.certificateExpired)])
        }
    }

    @Test func anAuthorityThatCannotBeReadIsTold() async throws {
        try await withTemporaryDirectory("authority") { directory in
            let path = directory.appending(path: "missing").path(percentEncoded: false)
            let identity = try Site.deviceIdentity.get()
            for hasFile in [false, true] {
                if hasFile { try Data("no certificate".utf8).write(to: URL(filePath: path)) }
                let error = #expect(throws: CryptographyError.self) {
                    try TLSContext.agent(identity: identity, gateway: .authority(path: path, gatewayName: "x"))
                }
                #expect(error?.operation == .loadAuthority)
                #expect(OpenSSLErrorQueue.isEmpty)
            }
        }
    }
}
