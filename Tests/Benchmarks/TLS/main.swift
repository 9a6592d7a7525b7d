import Cryptography
import Foundation
import NIOCore
import NIOEmbedded
import NIOSSL
import NIOTLS
import SecureChannel

// Measures the cost of encryption and decryption in Sluice's TLS handler. For comparison it can measure swift-nio-ssl's
// handler with the same work. Both ends use the same kind of key; one end sends, and the other discards the bytes. The
// bytes pass through memory or over a loopback socket.
//
//     sluice-tls-bench sluice|nio-ssl memory|socket MIB      prints CPU seconds

/// Asks for more bytes after each read, like a socket's channel, and counts the bytes.
final class Sink: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private(set) var byteCount = 0
    private(set) var isReady = false
    private let counted: (Int) -> Void

    init(counted: @escaping (Int) -> Void = { _ in }) {
        self.counted = counted
    }

    func channelActive(context: ChannelHandlerContext) {
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        byteCount += unwrapInboundIn(data).readableBytes
        counted(byteCount)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if endsHandshake(event) { isReady = true }
    }
}

private struct End {
    let channel = EmbeddedChannel()
    let sink = Sink()

    init(_ handler: any ChannelHandler) throws {
        try channel.pipeline.syncOperations.addHandlers([handler, sink])
    }

    /// Returns whether this end has sent any bytes.
    func pass(to other: End) throws -> Bool {
        var isAny = false
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) {
            isAny = true
            try other.channel.writeInbound(bytes)
        }
        return isAny
    }
}

func endsHandshake(_ event: Any) -> Bool { event is TLSHandshakeCompleted || event as? TLSUserEvent != nil }

/// A function that makes the TLS handler of one connection.
typealias HandlerMaker = @Sendable () throws -> any ChannelHandler

private enum Kind: String {
    case sluice
    case nioSSL = "nio-ssl"

    func makers(_ directory: String) throws -> (sender: HandlerMaker, receiver: HandlerMaker) {
        let identity = try Identity.create(in: directory, name: "bench", keyType: .p256)
        switch self {
        case .sluice:
            let gateway = try TLSContext.gateway(identity: identity, devices: .pinnedKeys { _ in true })
            let agent = try TLSContext.agent(identity: identity, gateway: .pinnedKeys([identity.fingerprint]))
            return ({ try agent.makeHandler() }, { try gateway.makeHandler() })
        case .nioSSL:
            let chain = try NIOSSLCertificate.fromPEMFile(directory + "/identity.crt")
            let key = try NIOSSLPrivateKey(file: directory + "/identity.key", format: .pem)
            var server = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
            server.minimumTLSVersion = .tlsv13
            var client = TLSConfiguration.makeClientConfiguration()
            client.minimumTLSVersion = .tlsv13
            client.certificateVerification = .none
            let contexts = (try NIOSSLContext(configuration: client), try NIOSSLContext(configuration: server))
            return (
                { try NIOSSLClientHandler(context: contexts.0, serverHostname: nil) },
                { NIOSSLServerHandler(context: contexts.1) }
            )
        }
    }
}

private enum Way: String {
    case memory
    case socket
}

func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// The bytes of each write. Before the measurement begins, `warmUpBytes` are sent.
let chunk = ByteBuffer(repeating: 0x5A, count: 256 << 10)
let warmUpBytes = 16 << 20

private func measure(_ kind: Kind, _ way: Way, byteCount: Int) throws -> Double {
    let directory = FileManager.default.temporaryDirectory.appending(path: "sluice-tls-bench-\(UUID())")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }  // If this fails, the system removes it later.
    let makers = try kind.makers(directory.path(percentEncoded: false))
    switch way {
    case .memory: return try measureInMemory(makers.sender, makers.receiver, byteCount: byteCount)
    case .socket: return try measureOverSocket(makers.sender, makers.receiver, byteCount: byteCount)
    }
}

private func measureInMemory(_ sends: HandlerMaker, _ receives: HandlerMaker, byteCount: Int) throws -> Double {
    let (sender, receiver) = (try End(sends()), try End(receives()))
    for end in [receiver, sender] {
        end.channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
    }
    while try sender.pass(to: receiver) || receiver.pass(to: sender) {}
    guard sender.sink.isReady, receiver.sink.isReady else { throw HandshakeFailed() }
    func send(_ byteCount: Int) throws {
        for _ in 0..<byteCount / chunk.readableBytes {
            sender.channel.writeAndFlush(chunk, promise: nil)
            while try sender.pass(to: receiver) || receiver.pass(to: sender) {}
        }
    }
    try send(warmUpBytes)
    let start = processorSeconds()
    try send(byteCount)
    let seconds = processorSeconds() - start
    guard receiver.sink.byteCount == warmUpBytes + byteCount else {
        throw BytesMissing(received: receiver.sink.byteCount)
    }
    return seconds
}

private struct HandshakeFailed: Error {}

private struct BytesMissing: Error {
    let received: Int
}

let words = CommandLine.arguments.dropFirst().map { $0 }
guard words.count == 3, let kind = Kind(rawValue: words[0]), let way = Way(rawValue: words[1]),
    let mebibytes = Int(words[2]), 1...1 << 20 ~= mebibytes
else {
    FileHandle.standardError.write(Data("usage: sluice-tls-bench sluice|nio-ssl memory|socket MIB\n".utf8))
    exit(64)
}
print(try measure(kind, way, byteCount: mebibytes << 20))
