import Foundation
import NIOCore
import NIOEmbedded
import NIOSSL
import NIOTLS
import SecureChannel

// What encrypting and decrypting costs in our TLS handler, or in swift-nio-ssl's on the same work: two ends in memory
// with the same kind of key, one sends, the other throws away.
//
//     sluice-tls-bench sluice|nio-ssl MIB      prints CPU seconds

/// Reads by itself, as a channel of a socket does, and counts.
private final class Sink: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private(set) var byteCount = 0
    private(set) var isReady = false

    func channelActive(context: ChannelHandlerContext) {
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        byteCount += unwrapInboundIn(data).readableBytes
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is TLSHandshakeCompleted || event as? TLSUserEvent != nil { isReady = true }
    }
}

private struct End {
    let channel = EmbeddedChannel()
    let sink = Sink()

    init(_ handler: any ChannelHandler) throws {
        try channel.pipeline.syncOperations.addHandlers([handler, sink])
    }

    /// Hands what it has sent to the other end.
    ///
    /// - Returns: whether there was anything.
    func pass(to other: End) throws -> Bool {
        var isAny = false
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) {
            isAny = true
            try other.channel.writeInbound(bytes)
        }
        return isAny
    }
}

private enum Kind: String {
    case sluice
    case nioSSL = "nio-ssl"

    /// - Returns: who sends, and who receives.
    func ends(_ directory: String) throws -> (End, End) {
        let identity = try Identity.create(in: directory, name: "bench", keyType: .p256)
        switch self {
        case .sluice:
            let gateway = try TLSContext.gateway(identity: identity, devices: .pinnedKeys { _ in true })
            let agent = try TLSContext.agent(identity: identity, gateway: .pinnedKeys([identity.fingerprint]))
            return (try End(agent.makeHandler()), try End(gateway.makeHandler()))
        case .nioSSL:
            let chain = try NIOSSLCertificate.fromPEMFile(directory + "/identity.crt")
            let key = try NIOSSLPrivateKey(file: directory + "/identity.key", format: .pem)
            var server = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
            server.minimumTLSVersion = .tlsv13
            var client = TLSConfiguration.makeClientConfiguration()
            client.minimumTLSVersion = .tlsv13
            client.certificateVerification = .none
            return (
                try End(NIOSSLClientHandler(context: NIOSSLContext(configuration: client), serverHostname: nil)),
                try End(NIOSSLServerHandler(context: NIOSSLContext(configuration: server)))
            )
        }
    }
}

private func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

private func measure(_ kind: Kind, mebibytes: Int) throws -> Double {
    let directory = FileManager.default.temporaryDirectory.appending(path: "sluice-tls-bench-\(UUID())")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }  // Nobody misses it.
    let (sender, receiver) = try kind.ends(directory.path(percentEncoded: false))
    for end in [receiver, sender] {
        end.channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
    }
    while try sender.pass(to: receiver) || receiver.pass(to: sender) {}
    guard sender.sink.isReady, receiver.sink.isReady else { throw HandshakeFailed() }

    let chunk = ByteBuffer(repeating: 0x5A, count: 256 << 10)
    func send(_ mebibytes: Int) throws {
        for _ in 0..<mebibytes * 4 {
            sender.channel.writeAndFlush(chunk, promise: nil)
            while try sender.pass(to: receiver) || receiver.pass(to: sender) {}
        }
    }
    try send(16)
    let start = processorSeconds()
    try send(mebibytes)
    let seconds = processorSeconds() - start
    guard receiver.sink.byteCount == (16 + mebibytes) << 20 else {
        throw BytesMissing(received: receiver.sink.byteCount)
    }
    return seconds
}

private struct HandshakeFailed: Error {}

private struct BytesMissing: Error {
    let received: Int
}

let words = CommandLine.arguments.dropFirst()
guard words.count == 2, let kind = words.first.flatMap(Kind.init), let mebibytes = words.last.flatMap({ Int($0) }),
    1...1 << 20 ~= mebibytes
else {
    FileHandle.standardError.write(Data("usage: sluice-tls-bench sluice|nio-ssl MIB\n".utf8))
    exit(64)
}
print(try measure(kind, mebibytes: mebibytes))
