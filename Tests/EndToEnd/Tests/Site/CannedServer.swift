import NIOCore
import NIOPosix
import WireProtocol

/// A TCP server that is not a gateway. It answers the first bytes of every connection with fixed bytes, and then stays
/// silent.
enum CannedServer {
    /// Runs a server that answers with these bytes, until `body` returns.
    ///
    /// - Parameter body: called with the loopback port of the server.
    static func withServer<Success>(
        answering answer: [UInt8], _ body: (Int) async throws -> Success
    ) async throws -> Success {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(CannedAnswer(answer))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let result: Result<Success, any Error>
        do {
            result = .success(try await body(channel.localAddress?.port ?? 0))
        } catch {
            result = .failure(error)
        }
        try await channel.close()
        return try result.get()
    }

    /// Runs a server that answers HELLO with this frame, as a gateway does, and then stays silent.
    static func withServer<Success>(
        answering frame: Frame, _ body: (Int) async throws -> Success
    ) async throws -> Success {
        var buffer = ByteBuffer()
        try frame.encode(slot: .connection, into: &buffer)
        return try await withServer(answering: Array(buffer.readableBytesView), body)
    }
}

private final class CannedAnswer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var answer: [UInt8]?

    init(_ answer: [UInt8]) {
        self.answer = answer
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let bytes = answer.take() else { return }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
