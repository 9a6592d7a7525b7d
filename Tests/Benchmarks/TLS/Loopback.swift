import NIOCore
import NIOPosix

/// Pauses while the channel is not writable.
private final class Source: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var remainingBytes: Int
    private var isWriting = false

    init(byteCount: Int) {
        remainingBytes = byteCount
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if endsHandshake(event) { write(context) }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        write(context)
    }

    private func write(_ context: ChannelHandlerContext) {
        // A write may change whether the channel is writable, and so call this method again.
        guard !isWriting else { return }
        isWriting = true
        defer { isWriting = false }
        while remainingBytes > 0, context.channel.isWritable {
            remainingBytes -= chunk.readableBytes
            context.writeAndFlush(wrapOutboundOut(chunk), promise: nil)
        }
    }
}

/// Measures the CPU time of both ends over a loopback socket. Both ends share one thread, and read 256 KiB at a time.
///
/// - Returns: CPU seconds after the warm-up, including those that the kernel spends on the socket.
func measureOverSocket(_ sends: @escaping HandlerMaker, _ receives: @escaping HandlerMaker, byteCount: Int) throws
    -> Double
{
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let done = group.next().makePromise(of: Double.self)
    let server = try ServerBootstrap(group: group)
        .childChannelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: chunk.readableBytes))
        .childChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                var start = 0.0
                let sink = Sink { count in
                    if start == 0, count >= warmUpBytes { start = processorSeconds() }
                    if count == warmUpBytes + byteCount { done.succeed(processorSeconds() - start) }
                }
                try channel.pipeline.syncOperations.addHandlers([receives(), sink])
            }
        }
        .bind(host: "127.0.0.1", port: 0).wait()
    guard let address = server.localAddress else { throw ChannelError.unknownLocalAddress }
    let client = try ClientBootstrap(group: group)
        .channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                let source = Source(byteCount: warmUpBytes + byteCount)
                try channel.pipeline.syncOperations.addHandlers([sends(), source])
            }
        }
        .connect(to: address).wait()
    client.closeFuture.whenComplete { _ in done.fail(ChannelError.eof) }
    let seconds = try done.futureResult.wait()
    try group.syncShutdownGracefully()
    return seconds
}
