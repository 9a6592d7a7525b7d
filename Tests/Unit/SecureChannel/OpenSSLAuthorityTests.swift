import Cryptography
import CryptographySupport
import Foundation
import NIOCore
import SecureChannel
import TestSupport
import Testing

/// `openssl s_client` and `openssl s_server` verify certificate chains of an authority and present such chains, with
/// both types of keys.
@Suite struct OpenSSLAuthorityTests {
    private static let proper = ["-tls1_3", "-alpn", "sluice/1", "-verify_return_error"]

    /// An identity whose certificate is signed by an authority below the trusted one.
    private struct Member {
        let home: String
        let identity: Identity

        init(_ name: String, _ keyType: KeyType, in directory: URL, by authority: Authority) async throws {
            home = directory.file(name)
            try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: false)
            _ = try Identity.create(in: home, name: name, keyType: keyType)
            try await authority.sign("\(home)/identity.csr", to: "\(home)/identity.crt")
            identity = try Identity.load(from: home)
        }

        var arguments: [String] {
            ["-cert", "\(home)/identity.crt", "-cert_chain", "\(home)/identity.crt", "-key", "\(home)/identity.key"]
        }
    }

    private func withMembers(
        _ keyType: KeyType, _ body: (_ root: Authority, _ gateway: Member, _ device: Member) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory("authority") { directory in
            let root = try await Authority(in: directory.appending(path: "root"))
            let below = try await root.makeAuthorityBelow(in: directory.appending(path: "below"))
            try await body(
                root, Member("gateway.example", keyType, in: directory, by: below),
                Member("cam7", keyType, in: directory, by: below))
        }
    }

    @Test(arguments: KeyType.allCases)
    func clientAndGatewayVerifyChains(keyType: KeyType) async throws {
        try await withMembers(keyType) { root, gateway, device in
            let context = try TLSContext.gateway(
                identity: gateway.identity,
                devices: .authority(
                    root.trusted, isPinned: { _ in false }, isAwaited: { false }, accepts: { $0.name == "cam7" }))
            let conversation = Watched(Conversation())
            let program = Watched<Program?>(nil)
            let arguments =
                Self.proper + ["-quiet", "-CAfile", root.certificatePath, "-verify_hostname", "gateway.example"]
                + device.arguments
            try await withLoopbackServer(
                context, conversation: conversation,
                answer: { $0.last == UInt8(ascii: "\n") ? ByteBuffer(bytes: $0) : nil },
                { port in
                    let line = (arguments + ["-connect", "127.0.0.1:\(port)"]).joined(separator: " ")
                    let ended = try await run(
                        Executable(path: "/bin/sh"), ["-c", "echo there and back | openssl s_client -ign_eof \(line)"])
                    program.update { $0 = ended }
                    _ = try await conversation.end()
                })
            let transcript = program.current?.transcript ?? ""
            let seen = conversation.current
            #expect(seen.error == nil, "\(transcript)")
            #expect(seen.peer == TLSPeer(fingerprint: device.identity.fingerprint, name: "cam7"))
            #expect(program.current?.lines(of: .standardOutput) == ["there and back"], "\(transcript)")
        }
    }

    @Test(arguments: KeyType.allCases)
    func serverAndAgentVerifyChains(keyType: KeyType) async throws {
        try await withMembers(keyType) { root, gateway, device in
            let agent = try TLSContext.agent(
                identity: device.identity, gateway: .authority(root.trusted, gatewayName: "gateway.example"))
            let conversation = Watched(Conversation())
            let arguments =
                ["s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-Verify", "2", "-rev"] + Self.proper
                + ["-CAfile", root.certificatePath] + gateway.arguments
            let program = try await withProgram(Executable.inSearchPath("openssl"), arguments) { program in
                let line = try await program.waitForLine { $0.hasPrefix("ACCEPT 127.0.0.1:") }
                let port = try #require(line.text.split(separator: ":").last.flatMap { Int($0) })
                try await connectToLoopback(
                    port, agent, conversation: conversation, opening: ByteBuffer(string: "there and back\n"),
                    answer: { $0.last == UInt8(ascii: "\n") ? ByteBuffer() : nil })
                _ = try await conversation.end()
                try await program.waitForExit()
                return program
            }
            let seen = conversation.current
            #expect(seen.error == nil, "\(program.transcript)")
            #expect(seen.peer == TLSPeer(fingerprint: gateway.identity.fingerprint, name: "gateway.example"))
            #expect(String(decoding: seen.received, as: UTF8.self) == "kcab dna ereht\n", "\(program.transcript)")
        }
    }
}
