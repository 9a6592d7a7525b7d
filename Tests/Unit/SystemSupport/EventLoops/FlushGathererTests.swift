import NIOCore
import NIOEmbedded
import SystemSupport
import Testing

/// Several flushes in one turn of the event loop become one, and no data stays behind.
@Suite struct FlushGathererTests {
    private final class Counter: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer

        private(set) var flushes = 0

        func flush(context: ChannelHandlerContext) {
            flushes += 1
            context.flush()
        }
    }

    private func channel() throws -> (EmbeddedChannel, Counter) {
        let channel = EmbeddedChannel()
        let counter = Counter()
        try channel.pipeline.syncOperations.addHandlers([counter, FlushGatherer()])
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        return (channel, counter)
    }

    private func sent(_ channel: EmbeddedChannel) throws -> [String] {
        var sent: [String] = []
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) { sent.append(String(buffer: buffer)) }
        return sent
    }

    @Test func flushesOncePerTurn() throws {
        let (channel, counter) = try channel()
        for turn in 1...3 {
            for text in ["a", "b", "c"] { channel.writeAndFlush(ByteBuffer(string: text), promise: nil) }
            #expect(try sent(channel) == [], "the turn has not ended")
            channel.embeddedEventLoop.run()
            #expect(try sent(channel) == ["a", "b", "c"])
            #expect(counter.flushes == turn)
        }
        channel.embeddedEventLoop.run()
        #expect(counter.flushes == 3, "nothing was written")
    }

    @Test func writesBeforeTheEndAreFlushed() throws {
        let (channel, _) = try channel()
        channel.writeAndFlush(ByteBuffer(string: "last words"), promise: nil)
        channel.close(promise: nil)
        #expect(try sent(channel) == ["last words"])
        channel.embeddedEventLoop.run()
    }
}
