import Cryptography
import Foundation
import NIOCore
import SecureChannel
import TestSupport
import Testing

/// The agent's TLS against `openssl s_server`.
@Suite struct OpenSSLServerTests {
    private static let proper = ["-tls1_3", "-alpn", "sluice/1"]

    /// Runs `openssl s_server` with a generated identity, and connects an agent that pins it.
    /// - Returns: the agent's view of the connection, and the finished `openssl`.
    private func connect(
        _ arguments: [String], pieceBytes: Int = .max, opening: ByteBuffer? = nil,
        answer: @escaping @Sendable ([UInt8]) -> ByteBuffer? = { _ in nil }, _ stop: (Program) async throws -> Void
    ) async throws -> (Conversation, Program) {
        try await withTemporaryDirectory("s-server") { directory in
            let path = directory.path(percentEncoded: false)
            let identity = try Identity.create(in: path, name: "gateway")
            let agent = try TLSContext.agent(
                identity: Site.deviceIdentity.get(), gateway: .pinnedKeys([identity.fingerprint]))
            let conversation = Watched(Conversation())
            let program = try await withProgram(
                Executable.inSearchPath("openssl"),
                ["s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-Verify", "1"] + arguments
                    + ["-cert", "\(path)/identity.crt", "-key", "\(path)/identity.key"],
                { program in
                    let line = try await program.waitForLine { $0.hasPrefix("ACCEPT 127.0.0.1:") }
                    let port = try #require(line.text.split(separator: ":").last.flatMap { Int($0) })
                    try await connectToLoopback(
                        port, agent, conversation: conversation, pieceBytes: pieceBytes, opening: opening,
                        answer: answer)
                    try await stop(program)
                    _ = try await conversation.end()
                    try await program.waitForExit()
                    return program
                })
            return (conversation.current, program)
        }
    }

    /// With the option `-rev`, `openssl s_server` answers each line reversed. Pieces of one byte split each record of
    /// the server at every byte.
    @Test(arguments: [Int.max, 1, 2, 7])
    func aLineGoesThereAndBack(inPiecesOfBytes pieceBytes: Int) async throws {
        let (conversation, program) = try await connect(
            Self.proper + ["-rev"], pieceBytes: pieceBytes, opening: ByteBuffer(string: "there and back\n"),
            answer: { $0.last == UInt8(ascii: "\n") ? ByteBuffer() : nil }, { _ in })
        #expect(conversation.error == nil, "\(program.transcript)")
        #expect(String(decoding: conversation.received, as: UTF8.self) == "kcab dna ereht\n")
        #expect(program.transcript.contains("ALPN protocols selected: sluice/1"), "\(program.transcript)")
    }

    @Test func tls12IsRefused() async throws {
        let (conversation, program) = try await connect(["-tls1_2", "-alpn", "sluice/1", "-rev"]) { _ in }
        #expect(conversation.error?.code == .refusedByPeer(.protocolVersion), "\(program.transcript)")
        #expect(conversation.peer == nil)
    }

    @Test func serverWithoutAProtocolIsRefused() async throws {
        let (conversation, program) = try await connect(["-tls1_3", "-rev"]) { _ in }
        #expect(conversation.error?.code == .applicationProtocol, "\(program.transcript)")
        #expect(conversation.peer == nil)
        #expect(program.transcript.contains("alert handshake failure"), "\(program.transcript)")
    }

    @Test func serverWithAnotherProtocolRefuses() async throws {
        let (conversation, program) = try await connect(["-tls1_3", "-alpn", "h2", "-rev"]) { _ in }
        #expect(conversation.error?.code == .refusedByPeer(.noApplicationProtocol), "\(program.transcript)")
    }

    /// `openssl s_server` cannot verify a device's certificate. With `-verify_return_error` it therefore refuses the
    /// connection.
    @Test func aServerThatDoesNotKnowTheDeviceRefuses() async throws {
        let (conversation, program) = try await connect(Self.proper + ["-verify_return_error", "-rev"]) { _ in }
        guard case .refusedByPeer(let alert) = conversation.error?.code else {
            Issue.record("\(String(describing: conversation.error))")
            return
        }
        #expect(alert == .unknownAuthority || alert == TLSAlert(rawValue: 46), "\(alert) \(program.transcript)")
    }

    /// A killed server sends no close_notify.
    @Test func aServerThatDiesTruncates() async throws {
        let (conversation, _) = try await connect(
            Self.proper + ["-rev"], opening: ByteBuffer(string: "one line\n"),
            { program in
                program.kill(SIGKILL)
            })
        #expect(conversation.error?.fault == .connection)
    }
}
