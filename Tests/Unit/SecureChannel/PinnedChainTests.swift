import Cryptography
import CryptographySupport
import Foundation
import NIOCore
import SecureChannel
import TestSupport
import Testing

/// An agent that has pinned a site's old key accepts its new key if a chain of certificates leads to the pin
/// (specification §5.1).
@Suite struct PinnedChainTests {
    /// A key of the site or of another party, with a self-signed certificate.
    private final class Party: Sendable {
        let identity: Identity
        let key: [UInt8]

        init(_ keyType: KeyType = .ed25519) throws {
            let directory = FileManager.default.temporaryDirectory.appending(path: "sluice-chain-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
            defer {
                // A directory that cannot be removed does not affect the test.
                try? FileManager.default.removeItem(at: directory)
            }
            // All parties have the same name, like the keys of one site: verification must not depend on names.
            identity = try Identity.create(in: directory.directoryPath, name: "site", keyType: keyType)
            key = try contents(of: directory.file("identity.key"))
        }

        var pin: Fingerprint { identity.fingerprint }

        var own: [UInt8] { get throws { try identity.selfSignedCertificate() } }

        func signs(_ other: Party) throws -> [UInt8] {
            try identity.certificate(forNext: try PrivateKey(pem: other.key))
        }
    }

    private struct Outcome {
        let peer: TLSPeer?
        let atAgent: [TLSError.Code]
        let atGateway: [TLSError.Code]
    }

    private func show(
        _ chain: [[UInt8]], of party: Party, to pins: Set<Fingerprint>,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Outcome {
        try await withTemporaryDirectory("chain") { directory in
            try write(String(decoding: party.key, as: UTF8.self), to: directory.file("identity.key"))
            try setMode(0o600, of: directory.file("identity.key"))
            let text = String(decoding: chain.flatMap(\.self), as: UTF8.self)
            try write(text, to: directory.file("identity.crt"))
            let identity = try Identity.load(from: directory.directoryPath)
            let pair = try TLSPair(
                agent: .agent(identity: Site.deviceIdentity.get(), gateway: .pinnedKeys(pins)),
                gateway: .gateway(identity: identity, devices: .pinnedKeys { _ in true }))
            try pair.exchange()
            #expect(OpenSSLErrorQueue.isEmpty, sourceLocation: sourceLocation)
            let (agent, gateway) = (pair.agent.application, pair.gateway.application)
            return Outcome(
                peer: agent.peer, atAgent: agent.errors.map(\.code), atGateway: gateway.errors.map(\.code))
        }
    }

    private func expectAccepted(
        _ chain: [[UInt8]], of party: Party, by pins: Set<Fingerprint>,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let outcome = try await show(chain, of: party, to: pins, sourceLocation: sourceLocation)
        #expect(outcome.peer?.fingerprint == party.pin, sourceLocation: sourceLocation)
        #expect(outcome.atAgent == [] && outcome.atGateway == [], sourceLocation: sourceLocation)
    }

    private func expectRefused(
        _ chain: [[UInt8]], of party: Party, by pins: Set<Fingerprint>,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let outcome = try await show(chain, of: party, to: pins, sourceLocation: sourceLocation)
        #expect(outcome.peer == nil, sourceLocation: sourceLocation)
        #expect(outcome.atAgent == [.unexpectedGateway(party.pin)], sourceLocation: sourceLocation)
        #expect(outcome.atGateway == [.refusedByPeer(.badCertificate)], sourceLocation: sourceLocation)
    }

    // MARK: Accepted

    @Test(arguments: KeyType.allCases, KeyType.allCases)
    func keySignedByThePinnedOneIsAccepted(old: KeyType, new: KeyType) async throws {
        let (old, new) = (try Party(old), try Party(new))
        let chain = [try old.signs(new), try old.own]
        try await expectAccepted(chain, of: new, by: [old.pin])
        try await expectAccepted(chain, of: new, by: [new.pin])
    }

    @Test func eachKeyOfAChainMayBeThePinnedOne() async throws {
        let keys = try (0..<4).map { _ in try Party() }
        let chain = try [keys[2].signs(keys[3]), keys[1].signs(keys[2]), keys[0].signs(keys[1]), keys[0].own]
        for pinned in keys { try await expectAccepted(chain, of: keys[3], by: [pinned.pin]) }
    }

    @Test func repeatedKeyIsAccepted() async throws {
        let (old, new) = (try Party(), try Party())
        try await expectAccepted([old.signs(new), old.own, old.own], of: new, by: [old.pin])
        try await expectAccepted([new.own, old.signs(new), old.own], of: new, by: [old.pin])
    }

    @Test func certificatesBehindThePinAreIgnored() async throws {
        let (old, new, foreign) = (try Party(), try Party(), try Party())
        try await expectAccepted([old.signs(new), old.own, foreign.own], of: new, by: [old.pin])
    }

    /// The agent ignores the names and dates in the certificates of a chain. Here the `openssl` program makes the
    /// certificates: expired, valid or not yet valid, with other names, and signed by an authority.
    @Test(arguments: [Authority.Validity.formerly, .now, .later])
    func namesAndDatesAreIgnored(validity: Authority.Validity) async throws {
        try await withTemporaryDirectory("chain") { directory in
            let authority = try await Authority(in: directory.appending(path: "authority"))
            let identity = try await authority.makeIdentity(
                in: directory, commonName: "another", validity: validity)
            let text = try contents(of: authority.certificatePath)
            let home = try #require(
                try directory.names().map { directory.file($0) }.first {
                    FileManager.default.fileExists(atPath: $0 + "/identity.crt")
                })
            try write(
                String(decoding: contents(of: home + "/identity.crt") + text, as: UTF8.self),
                to: home + "/identity.crt")
            let shown = try Identity.load(from: home)
            let pair = try TLSPair(
                agent: .agent(
                    identity: Site.deviceIdentity.get(), gateway: .pinnedKeys([try Fingerprint(pem: text)])),
                gateway: .gateway(identity: shown, devices: .pinnedKeys { _ in true }))
            try pair.exchange()
            #expect(pair.agent.application.peer?.fingerprint == identity.fingerprint)
        }
    }

    // MARK: Refused

    /// Any party can present the site's public certificate behind its own. So the agent must not accept a chain only
    /// because it contains the site's certificate.
    @Test func unsignedKeyBeforeThePinIsRefused() async throws {
        let (site, foreign) = (try Party(), try Party())
        try await expectRefused([foreign.own, site.own], of: foreign, by: [site.pin])
    }

    @Test func signatureOfANamesakeIsRefused() async throws {
        let (site, foreign, signer) = (try Party(), try Party(), try Party())
        try await expectRefused([signer.signs(foreign), site.own], of: foreign, by: [site.pin])
        try await expectRefused([signer.signs(foreign), signer.own, site.own], of: foreign, by: [site.pin])
    }

    /// The pinned key has signed the certificate in the middle. The key in the middle has not signed the first
    /// certificate, so the chain is broken.
    @Test func aGapBehindTheFirstIsRefused() async throws {
        let (site, next, foreign) = (try Party(), try Party(), try Party())
        try await expectRefused([foreign.own, site.signs(next), site.own], of: foreign, by: [site.pin])
        // It is not enough that the chain contains pinned certificates: their keys must have signed the first
        // certificate.
        try await expectRefused([foreign.own, next.own, site.own], of: foreign, by: [site.pin, next.pin])
    }

    @Test func theWrongOrderIsRefused() async throws {
        let (first, second, third) = (try Party(), try Party(), try Party())
        let links = [try second.signs(third), try first.signs(second), try first.own]
        try await expectAccepted(links, of: third, by: [first.pin])
        try await expectRefused([links[0], links[2], links[1]], of: third, by: [first.pin])
    }

    @Test func aChangedSignatureIsRefused() async throws {
        let (old, new) = (try Party(), try Party())
        let lines = String(decoding: try old.signs(new), as: UTF8.self).split(separator: "\n")
        var der = Array(try #require(Data(base64Encoded: lines.dropFirst().dropLast().joined())))
        der[der.count - 1] ^= 1
        let body = Data(der).base64EncodedString(options: .lineLength64Characters)
        let text = "\(lines[0])\n\(body)\n\(lines[lines.count - 1])\n"
        try await expectRefused([Array(text.utf8), old.own], of: new, by: [old.pin])
    }

    @Test func chainLengthIsLimited() async throws {
        let keys = try (0...PinnedChain.certificatesMax).map { _ in try Party() }
        var chain = [try keys[0].own]
        for (older, newer) in zip(keys, keys.dropFirst()) { chain.insert(try older.signs(newer), at: 0) }
        let last = try #require(keys.last)
        try await expectAccepted(chain, of: last, by: [keys[1].pin])
        try await expectRefused(chain, of: last, by: [keys[0].pin])
    }

    // MARK: On sockets

    @Test(.timeLimit(.minutes(5)), arguments: [true, false])
    func opensslShowsAChain(isSigned: Bool) async throws {
        let (old, new) = (try Party(), try Party())
        try await withTemporaryDirectory("chain") { directory in
            try write(String(decoding: new.key, as: UTF8.self), to: directory.file("key"))
            let own = isSigned ? try old.signs(new) : try new.own
            try write(String(decoding: own, as: UTF8.self), to: directory.file("crt"))
            try write(String(decoding: old.own, as: UTF8.self), to: directory.file("old"))
            let agent = try TLSContext.agent(
                identity: Site.deviceIdentity.get(), gateway: .pinnedKeys([old.pin]))
            let conversation = Watched(Conversation())
            let arguments = [
                "s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-Verify", "1", "-tls1_3", "-alpn", "sluice/1",
                "-rev", "-cert", directory.file("crt"), "-key", directory.file("key"), "-cert_chain",
                directory.file("old"),
            ]
            try await withProgram(Executable.inSearchPath("openssl"), arguments) { program in
                let line = try await program.waitForLine { $0.hasPrefix("ACCEPT 127.0.0.1:") }
                let port = try #require(line.text.split(separator: ":").last.flatMap { Int($0) })
                try await connectToLoopback(
                    port, agent, conversation: conversation, opening: ByteBuffer(string: "abc\n"),
                    answer: { $0.last == UInt8(ascii: "\n") ? ByteBuffer() : nil })
                let end = try await conversation.end()
                #expect(end.peer?.fingerprint == (isSigned ? new.pin : nil), "\(program.transcript)")
                #expect(end.error?.code == (isSigned ? nil : .unexpectedGateway(new.pin)), "\(program.transcript)")
            }
        }
    }
}
