import Cryptography
import CryptographySupport
import Foundation
import NIOCore
import SecureChannel
import TestSupport
import Testing

/// The gateway's TLS against `openssl s_client`.
@Suite struct OpenSSLClientTests {
    /// Arguments of a valid client, except for its certificate.
    private static let proper = ["-tls1_3", "-alpn", "sluice/1"]

    /// Runs `openssl s_client` against a gateway that echoes one line.
    /// - Parameters:
    ///   - input: the standard input of `openssl`; a shell redirects it.
    ///   - inputStaysOpen: whether the input stays open after its last byte, so that only the gateway can end the
    ///     connection. At the end of its input `openssl` closes the connection at once. Data that the gateway sends
    ///     afterwards would reset the connection before `openssl` has read everything. The input must fit in a pipe
    ///     (64 KiB).
    ///   - output: file for the standard output of `openssl`, if it is too long to collect as lines.
    ///   - answer: what the gateway answers in place of the echo. It answers when it has received as many bytes as the
    ///     answer has.
    ///   - pieceBytes: size of the pieces in which the gateway receives the bytes of `openssl`.
    /// - Returns: the gateway's view of the connection, and the finished `openssl`.
    private func connect(
        _ arguments: [String], showingCertificate: Bool, input: URL? = nil, inputStaysOpen: Bool = false,
        output: URL? = nil, answer: ByteBuffer? = nil, pieceBytes: Int = .max,
        accepts: @escaping @Sendable (TLSPeer) -> Bool = { _ in true }
    ) async throws -> (Conversation, Program) {
        try await withTemporaryDirectory("s-client") { directory in
            let openssl = try Executable.inSearchPath("openssl")
            let conversation = Watched(Conversation())
            let program = Watched<Program?>(nil)
            var command = [openssl.path, "s_client"] + arguments
            if showingCertificate { command += try certificateArguments(in: directory) }
            let source = input?.path(percentEncoded: false) ?? "/dev/null"
            let context = try Site.gateway(accepts: accepts)
            try await withLoopbackServer(
                context, conversation: conversation, pieceBytes: pieceBytes,
                answer: { received in
                    if let answer { return received.count >= answer.readableBytes ? answer : nil }
                    return received.last == UInt8(ascii: "\n") ? ByteBuffer(bytes: received) : nil
                },
                { port in
                    let line = (command + ["-connect", "127.0.0.1:\(port)"]).joined(separator: " ")
                    let target = output.map { "> '\($0.path(percentEncoded: false))'" } ?? ""
                    let script =
                        inputStaysOpen
                        ? "cd '\(directory.path(percentEncoded: false))' && mkfifo pipe && exec 3<>pipe && "
                            + "cat '\(source)' >&3 && exec \(line) < pipe \(target)"
                        : "exec \(line) < '\(source)' \(target)"
                    let ended = try await run(Executable(path: "/bin/sh"), ["-c", script])
                    program.update { $0 = ended }
                    _ = try await conversation.end()
                })
            return (conversation.current, try #require(program.current))
        }
    }

    private func certificateArguments(in directory: URL) throws -> [String] {
        let path = directory.path(percentEncoded: false)
        _ = try Identity.create(in: path, name: "device")
        return ["-cert", "\(path)/identity.crt", "-key", "\(path)/identity.key"]
    }

    @Test func aLineGoesThereAndBack() async throws {
        try await withTemporaryDirectory("line") { directory in
            let input = directory.appending(path: "line")
            try Data("there and back\n".utf8).write(to: input)
            let (conversation, program) = try await connect(
                Self.proper + ["-quiet"], showingCertificate: true, input: input)
            #expect(conversation.error == nil, "\(program.transcript)")
            #expect(conversation.peer != nil)
            #expect(String(decoding: conversation.received, as: UTF8.self) == "there and back\n")
            #expect(program.lines(of: .standardOutput) == ["there and back"])
            #expect(program.exitStatus == .exited(0))
        }
    }

    @Test func mebibytesGoThereAndBack() async throws { try await bytesGoThereAndBack(5_000_000) }

    /// Pieces of one byte split every record at each of its bytes. With longer pieces, the end of a record and the
    /// beginning of the next arrive together.
    @Test(arguments: [1, 2, 3, 7, 1_000])
    func recordsMayArriveInPieces(ofBytes pieceBytes: Int) async throws {
        try await bytesGoThereAndBack(100_000, pieceBytes: pieceBytes)
    }

    private func bytesGoThereAndBack(_ count: Int, pieceBytes: Int = .max) async throws {
        try await withTemporaryDirectory("bytes") { directory in
            let (input, output) = (directory.appending(path: "input"), directory.appending(path: "output"))
            let bytes = SeededFile(seed: 1, byteCount: count).bytes
            try Data(bytes).write(to: input)
            let (conversation, _) = try await connect(
                Self.proper + ["-quiet"], showingCertificate: true, input: input, output: output,
                answer: ByteBuffer(bytes: bytes), pieceBytes: pieceBytes)
            #expect(conversation.error == nil)
            #expect(conversation.peer != nil)
            #expect(conversation.received == bytes)
            #expect(try Data(contentsOf: output) == Data(bytes))
        }
    }

    /// `openssl s_client` reads its input in pieces of 8 KiB. If a piece begins with K, `openssl` updates the keys of
    /// the connection. The gateway must follow each update.
    @Test func keysMayBeChanged() async throws {
        try await withTemporaryDirectory("keys") { directory in
            let input = directory.appending(path: "input")
            let wish = "K" + String(repeating: "-", count: 8191)
            try Data((wish + wish + "after the changes\n").utf8).write(to: input)
            let (conversation, program) = try await connect(
                Self.proper, showingCertificate: true, input: input, inputStaysOpen: true)
            #expect(conversation.error == nil)
            #expect(String(decoding: conversation.received, as: UTF8.self) == "after the changes\n")
            #expect(program.lines.filter { $0.text.contains("KEYUPDATE") }.count == 2, "\(program.transcript)")
        }
    }

    @Test func theProgramSeesWhatWasAgreed() async throws {
        try await withTemporaryDirectory("agreed") { directory in
            let input = directory.appending(path: "line")
            try Data("hello\n".utf8).write(to: input)
            let (_, program) = try await connect(
                Self.proper + ["-ign_eof"], showingCertificate: true, input: input)
            for line in ["ALPN protocol: sluice/1", "Early data was not sent", "Peer signature type: ed25519"] {
                #expect(program.lines.contains { $0.text == line }, "\(line)")
            }
            #expect(program.lines.contains { $0.text.hasPrefix("New, TLSv1.3, Cipher is TLS_") })
            #expect(!program.transcript.contains("New Session Ticket"))
        }
    }

    @Test func tls12IsRefused() async throws {
        let (conversation, program) = try await connect(
            ["-tls1_2", "-alpn", "sluice/1"], showingCertificate: true)
        #expect(conversation.error?.code == .protocolVersion)
        #expect(conversation.error?.fault == .disagreement)
        #expect(program.transcript.contains("alert protocol version"))
        #expect(program.exitStatus == .exited(1))
    }

    @Test func noApplicationProtocolIsRefused() async throws {
        let (conversation, program) = try await connect(["-tls1_3"], showingCertificate: true)
        #expect(conversation.error?.code == .applicationProtocol)
        #expect(program.transcript.contains("alert no application protocol"), "\(program.transcript)")
        #expect(program.exitStatus == .exited(1))
    }

    @Test(arguments: ["h2", "sluice/2,http/1.1", "sluice/11", "sluice/"])
    func anotherApplicationProtocolIsRefused(list: String) async throws {
        let (conversation, program) = try await connect(["-tls1_3", "-alpn", list], showingCertificate: true)
        #expect(conversation.error?.code == .applicationProtocol)
        #expect(program.transcript.contains("alert no application protocol"), "\(program.transcript)")
    }

    @Test func oneOfSeveralApplicationProtocolsIsEnough() async throws {
        let (conversation, _) = try await connect(["-tls1_3", "-alpn", "h2,sluice/1"], showingCertificate: true)
        #expect(conversation.peer != nil)
    }

    @Test func noCertificateIsRefused() async throws {
        let (conversation, program) = try await connect(Self.proper + ["-ign_eof"], showingCertificate: false)
        #expect(conversation.error?.code == .noCertificate)
        #expect(conversation.peer == nil)
        #expect(program.transcript.contains("alert certificate required"), "\(program.transcript)")
    }

    @Test func anUnknownKeyIsRefused() async throws {
        let (conversation, program) = try await connect(
            Self.proper + ["-ign_eof"], showingCertificate: true, accepts: { _ in false })
        guard case .unknownDevice = conversation.error?.code else {
            Issue.record("\(String(describing: conversation.error))")
            return
        }
        #expect(program.transcript.contains("alert unknown ca"), "\(program.transcript)")
    }
}
