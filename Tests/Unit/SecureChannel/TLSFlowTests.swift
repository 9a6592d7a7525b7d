import CryptographySupport
import NIOCore
import NIOEmbedded
import SecureChannel
import TestSupport
import Testing

/// The handler reads only on demand, and encrypts only what the channel can take.
@Suite struct TLSFlowTests {
    @Test func theHandshakeReadsByItselfAndThenStops() throws {
        let pair = try TLSPair.connected(readByThemselves: false)
        #expect(pair.agent.application.peer != nil && pair.gateway.application.peer != nil)
        let readCount = pair.gateway.wire.readCount
        pair.agent.send("unasked")
        try pair.exchange()
        #expect(pair.gateway.application.readCount == 0)
        #expect(pair.gateway.wire.readCount == readCount)
    }

    @Test func receivedBytesWaitForDemand() throws {
        let pair = try TLSPair.connected(readByThemselves: false)
        pair.agent.send("one ")
        try pair.exchange()
        pair.agent.send("two")
        try pair.exchange()
        let readCount = pair.gateway.wire.readCount
        pair.gateway.channel.read()
        #expect(pair.gateway.application.text == "one two")
        #expect(pair.gateway.application.readCount == 1)
        #expect(pair.gateway.application.events.last == .readComplete)
        // The handler passes the read on to the channel, although it has data already. Otherwise a channel with
        // `autoRead` would stop reading.
        #expect(pair.gateway.wire.readCount == readCount + 1)
        pair.agent.send(" three")
        try pair.exchange()
        #expect(pair.gateway.application.text == "one two")
        #expect(pair.gateway.wire.readCount == readCount + 1)
        pair.gateway.channel.read()
        #expect(pair.gateway.application.text == "one two three")
    }

    @Test func oneDemandIsAnsweredOnce() throws {
        let pair = try TLSPair.connected(readByThemselves: false)
        pair.gateway.channel.read()
        pair.agent.send("one")
        try pair.exchange()
        pair.agent.send("two")
        try pair.exchange()
        #expect(pair.gateway.application.text == "one")
    }

    /// Half a record gives the application no data. The application's demand remains, so the handler reads again.
    @Test func demandLastsUntilItIsAnswered() throws {
        let pair = try TLSPair.connected(readByThemselves: false)
        pair.gateway.channel.read()
        pair.agent.send("whole")
        let readCount = pair.gateway.wire.readCount
        try pair.carry(from: pair.agent, to: pair.gateway) { _ in 9 }
        #expect(pair.gateway.application.text == "whole")
        #expect(pair.gateway.wire.readCount == readCount + 2)
    }

    @Test func theEndOfTheConnectionNeedsNoDemand() throws {
        let pair = try TLSPair.connected(readByThemselves: false)
        pair.agent.send("the last words")
        pair.agent.channel.close(promise: nil)
        try pair.exchange()
        #expect(pair.gateway.application.readCount == 0)
        pair.gateway.wire.hangUp()
        #expect(pair.gateway.application.text == "the last words")
        #expect(pair.gateway.application.errors == [])
        #expect(pair.gateway.application.events.suffix(3) == [.bytes, .readComplete, .inactive])
    }

    /// The channel becomes unwritable with the first bytes, and writable again when these are sent. The handler
    /// therefore encrypts a huge write step by step.
    @Test(arguments: [1, 40]) func aHugeWriteIsEncryptedAsItIsSent(writeCount: Int) throws {
        let pair = try TLSPair.connected()
        let byteCount = 40 << 20
        let bytes = seededBytes(1, count: byteCount)
        let mark = WriteMark(highBytes: 64 << 10)
        try pair.agent.channel.pipeline.syncOperations.addHandler(mark, position: .after(pair.agent.wire))
        var rest = bytes
        var isSent = false
        let promise = pair.agent.channel.embeddedEventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenSuccess { isSent = true }
        for number in 1...writeCount {
            let slice = rest.readSlice(length: byteCount / writeCount)
            pair.agent.channel.write(try #require(slice), promise: number == writeCount ? promise : nil)
        }
        pair.agent.channel.flush()
        var roundCount = 0
        while !isSent {
            let sent = try pair.agent.takeSent()
            try #require(sent.readableBytes > 0)
            #expect(sent.readableBytes <= 512 << 10)
            roundCount += 1
            try pair.gateway.receive(sent)
            mark.drain(pair.agent.channel)
            pair.agent.run()
        }
        try pair.exchange()
        #expect(roundCount >= byteCount / (512 << 10))
        #expect(pair.gateway.application.received == bytes)
    }

    /// The handler encrypts bytes before they are flushed, because the channel must know how many bytes are pending.
    @Test func unflushedBytesCountForWritability() throws {
        let pair = try TLSPair.connected()
        let mark = WriteMark(highBytes: 64 << 10)
        try pair.agent.channel.pipeline.syncOperations.addHandler(mark, position: .after(pair.agent.wire))
        let chunk = seededBytes(1, count: 256 << 10)
        var writeCount = 0
        while pair.agent.channel.isWritable, writeCount < 100 {
            pair.agent.channel.write(chunk, promise: nil)
            writeCount += 1
        }
        #expect(writeCount < 5)
        #expect(try pair.agent.takeSent().readableBytes == 0)
        pair.agent.channel.flush()
        #expect(try pair.agent.takeSent().readableBytes > 0)
    }
}

/// Makes a channel unwritable like a socket that sends more slowly than the application writes.
private final class WriteMark: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    private let highBytes: Int
    private var pendingBytes = 0

    init(highBytes: Int) {
        self.highBytes = highBytes
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        pendingBytes += unwrapOutboundIn(data).readableBytes
        context.write(data, promise: promise)
        guard pendingBytes > highBytes, let channel = context.channel as? EmbeddedChannel, channel.isWritable else {
            return
        }
        channel.isWritable = false
        context.fireChannelWritabilityChanged()
    }

    /// Marks all pending bytes as sent.
    func drain(_ channel: EmbeddedChannel) {
        pendingBytes = 0
        guard !channel.isWritable else { return }
        channel.isWritable = true
        channel.pipeline.fireChannelWritabilityChanged()
    }
}
