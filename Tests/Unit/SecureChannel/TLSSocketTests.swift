import NIOCore
import NIOPosix
import SecureChannel
import TestSupport
import Testing

/// Both ends on real sockets. Here the system's channels decide how much is read and written at once.
@Suite struct TLSSocketTests {
    @Test(.timeLimit(.minutes(5)), arguments: [1, 1 << 10, 1 << 20, 20 << 20])
    func bytesAreEchoed(byteCount: Int) async throws {
        let (atAgent, atGateway) = (Watched(Conversation()), Watched(Conversation()))
        let bytes = seededBytes(1, count: byteCount)
        try await withLoopbackServer(
            Site.gateway(), conversation: atGateway,
            answer: { $0.count == byteCount ? ByteBuffer(bytes: $0) : nil },
            { port in
                try await connectToLoopback(port, Site.agent(), conversation: atAgent, opening: bytes)
                #expect(try await atAgent.end().received == Array(bytes.readableBytesView))
                #expect(try await atGateway.end().error == nil)
                #expect(atAgent.current.error == nil)
            })
    }

    /// The device has already sent much data when the gateway refuses it. The device must still receive the alert.
    @Test(.timeLimit(.minutes(5))) func aRefusedDeviceLearnsWhy() async throws {
        for _ in 0..<20 {
            let (atAgent, atGateway) = (Watched(Conversation()), Watched(Conversation()))
            try await withLoopbackServer(
                Site.gateway { _ in false }, conversation: atGateway, answer: { _ in nil },
                { port in
                    try await connectToLoopback(
                        port, Site.agent(), conversation: atAgent, opening: seededBytes(1, count: 100_000))
                    #expect(try await atAgent.end().error?.code == .refusedByPeer(.unknownAuthority))
                    #expect(try await atGateway.end().received == [])
                })
        }
    }

    /// The server closes right after a long write, and its peer takes longer than `TLSLimits.closing` to read. As long
    /// as the peer reads, the connection stays open.
    @Test(.timeLimit(.minutes(5))) func slowReaderGetsWhatWasSentBeforeTheClose() async throws {
        var limits = TLSLimits()
        limits.closing = .seconds(2)
        limits.closingPeriodsMax = 100
        let (atAgent, atGateway) = (Watched(Conversation()), Watched(Conversation()))
        let bytes = seededBytes(1, count: 8 << 20)
        let context = try Site.gateway(limits: limits)
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            // With the system's large buffers the kernel would take all bytes at once.
            .childChannelOption(.socketOption(.so_sndbuf), value: 64 << 10)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        try context.makeHandler(), Interlocutor(atGateway) { _ in bytes },
                    ])
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        _ = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.socketOption(.so_rcvbuf), value: 64 << 10)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 16 << 10))
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        SlowReader(pause: .milliseconds(10)), try Site.agent().makeHandler(),
                        Interlocutor(atAgent, opening: ByteBuffer(string: "go on")) { _ in nil },
                    ])
                }
            }
            .connect(host: "127.0.0.1", port: listener.localAddress?.port ?? 0).get()
        let heard = try await atAgent.end()
        try await listener.close()
        #expect(heard.error == nil)
        #expect(heard.received.count == bytes.readableBytes)
    }

    @Test(.timeLimit(.minutes(5))) func manyConnectionsShareAContext() async throws {
        let context = try Site.gateway()
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for number in 0..<20 as Range<UInt64> {
                tasks.addTask {
                    let (atAgent, atGateway) = (Watched(Conversation()), Watched(Conversation()))
                    let bytes = seededBytes(number, count: 300_000)
                    try await withLoopbackServer(
                        context, conversation: atGateway,
                        answer: { $0.count == bytes.readableBytes ? ByteBuffer(bytes: $0) : nil },
                        { port in
                            try await connectToLoopback(port, Site.agent(), conversation: atAgent, opening: bytes)
                            #expect(try await atAgent.end().received == Array(bytes.readableBytesView))
                        })
                }
            }
            try await tasks.waitForAll()
        }
    }
}

/// A handler between the socket and TLS that pauses before each read.
private final class SlowReader: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    private let pause: TimeAmount

    init(pause: TimeAmount) {
        self.pause = pause
    }

    func read(context: ChannelHandlerContext) {
        _ = context.eventLoop.assumeIsolated().scheduleTask(in: pause) { context.read() }
    }
}
