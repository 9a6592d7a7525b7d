import NIOCore
import NIOPosix
import SecureChannel
import WireProtocol

/// A client that sends one invalid frame and waits for the gateway's answer.
enum OneFrameClient {
    private struct Hung: Error {}

    /// Sends a frame on a new connection, and returns the gateway's first frame.
    ///
    /// - Parameter tls: the TLS context; `nil` for plain TCP.
    /// - Throws: if connecting fails, or if the gateway closes the connection without an answer.
    static func answer(to frame: Frame, port: Int, tls: TLSContext?) async throws -> Frame {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let answer = eventLoop.makePromise(of: Frame.self)
        let bootstrap = ClientBootstrap(group: eventLoop).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                let pipeline = channel.pipeline.syncOperations
                if let tls { try pipeline.addHandler(tls.makeHandler()) }
                try pipeline.addHandler(OneFrame(frame, isPlaintext: tls == nil, answer))
            }
        }
        let channel: any Channel
        do {
            channel = try await bootstrap.connect(host: "127.0.0.1", port: port).get()
        } catch {
            answer.fail(error)
            throw error
        }
        let timeout = eventLoop.scheduleTask(in: .seconds(60)) { answer.fail(Hung()) }
        defer {
            timeout.cancel()
            channel.close(promise: nil)
        }
        return try await answer.futureResult.get()
    }
}

private final class OneFrame: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let frame: Frame
    private let isPlaintext: Bool
    private let answer: EventLoopPromise<Frame>
    private var decoder = FrameDecoder(receiver: .agent)

    init(_ frame: Frame, isPlaintext: Bool, _ answer: EventLoopPromise<Frame>) {
        self.frame = frame
        self.isPlaintext = isPlaintext
        self.answer = answer
    }

    func channelActive(context: ChannelHandlerContext) {
        if isPlaintext { say(context) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is TLSHandshakeCompleted { say(context) }
    }

    private func say(_ context: ChannelHandlerContext) {
        var buffer = ByteBuffer()
        do {
            try frame.encode(slot: .connection, into: &buffer)
        } catch {
            answer.fail(error)
        }
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        decoder.append(unwrapInboundIn(data))
        do {
            guard case .frame(_, let frame) = try decoder.next() else { return }
            answer.succeed(frame)
        } catch {
            answer.fail(error)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        answer.fail(ChannelError.eof)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        answer.fail(error)
    }
}
