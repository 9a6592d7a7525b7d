import GatewayKit
import Logging
import NIOCore
import NIOEmbedded
import Testing
import TransferCommon
import TransferCore

/// Tests of what the next channel handlers receive from a connection that begins with a PROXY header.
@Suite struct ProxyHeaderHandlerTests {
    /// Stands for the next channel handler.
    private final class Recorder: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        var events: [String] = []

        func channelActive(context: ChannelHandlerContext) { events.append("active") }
        func channelInactive(context: ChannelHandlerContext) { events.append("inactive") }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            events.append(String(buffer: unwrapInboundIn(data)))
        }
    }

    private final class Waiting {
        var limiter = PreAuthenticationLimiter(
            GatewayLimits(
                parts: PartRule(
                    partBytesMin: 1, partBytesMax: 1 << 30, partBytesDefault: 1, partsMax: 10_000,
                    objectBytesMax: 1 << 40)))

        var count: Int { limiter.countBeforeProxyHeader }
    }

    private struct Connection {
        let channel = EmbeddedChannel()
        let recorder = Recorder()
        let peer = PeerAddress()
        let waiting = Waiting()

        init(from address: String) throws {
            let networks = try #require(ProxyNetworks(parsing: "10.0.0.0/8"))
            let waiting = self.waiting
            let handler = ProxyHeaderHandler(
                networks: networks, peer: peer, limit: .seconds(10), refused: { _, _ in },
                begin: { _ in waiting.limiter.enterBeforeProxyHeader().newcomer },
                end: { waiting.limiter.left($0) })
            try channel.pipeline.syncOperations.addHandlers([handler, recorder])
            let address = try SocketAddress(ipAddress: address, port: 7)
            channel.remoteAddress = address
            channel.connect(to: address, promise: nil)
        }
    }

    private static let header = header(from: [192, 0, 2, 1])

    private static func header(from address: [UInt8]) -> [UInt8] {
        [0x0D, 0x0A, 0x0D, 0x0A, 0, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A, 0x21, 0x11, 0, 12]
            + address + [10, 0, 0, 1, 0x12, 0x34, 0x1C, 0xFC]
    }

    @Test(arguments: [1, 5, 100]) func peerIsSeenUnderItsOwnAddress(pieceBytes: Int) throws {
        let connection = try Connection(from: "10.0.0.1")
        #expect(connection.recorder.events == [])
        var rest = ByteBuffer(bytes: Self.header + Array("hello".utf8))
        while let piece = rest.readSlice(length: min(pieceBytes, max(rest.readableBytes, 1))), piece.readableBytes > 0 {
            try connection.channel.writeInbound(piece)
        }
        #expect(connection.peer.told?.ipAddress == "192.0.2.1")
        #expect(connection.recorder.events == ["active"])
        connection.channel.read()
        #expect(connection.recorder.events == ["active", "hello"])
        try connection.channel.writeInbound(ByteBuffer(string: "more"))
        #expect(connection.recorder.events == ["active", "hello", "more"])
        _ = try connection.channel.finish()
    }

    /// The handler reads a header only from a balancer: otherwise any peer could claim any address. Bytes from another
    /// address pass unchanged, and TLS refuses a header among them.
    @Test func otherAddressesHaveNoHeader() throws {
        let connection = try Connection(from: "192.0.2.9")
        #expect(connection.recorder.events == ["active"])
        try connection.channel.writeInbound(ByteBuffer(bytes: Self.header))
        #expect(connection.recorder.events.count == 2)
        #expect(connection.peer.told == nil)
        _ = try connection.channel.finish()
    }

    @Test func balancerWithoutHeaderIsRefused() throws {
        let connection = try Connection(from: "10.0.0.1")
        try connection.channel.writeInbound(ByteBuffer(string: "GET / HTTP/1.1"))
        connection.channel.embeddedEventLoop.run()
        #expect(connection.recorder.events == [])
        #expect(!connection.channel.isActive)
    }

    @Test func headerHasATimeLimit() throws {
        let connection = try Connection(from: "10.0.0.1")
        try connection.channel.writeInbound(ByteBuffer(bytes: Self.header.dropLast()))
        connection.channel.embeddedEventLoop.advanceTime(by: .seconds(10))
        connection.channel.embeddedEventLoop.run()
        #expect(connection.recorder.events == [])
        #expect(!connection.channel.isActive)
    }

    // MARK: What is counted

    @Test func connectionCountsUntilItsHeaderHasArrived() throws {
        let connection = try Connection(from: "10.0.0.1")
        try connection.channel.writeInbound(ByteBuffer(bytes: Self.header.dropLast()))
        #expect(connection.waiting.count == 1)
        try connection.channel.writeInbound(ByteBuffer(bytes: Self.header.suffix(1)))
        #expect(connection.recorder.events == ["active"])
        #expect(connection.waiting.count == 0)
        _ = try connection.channel.finish()
    }

    @Test func connectionThatEndsBeforeItsHeaderIsNotCounted() throws {
        let closed = try Connection(from: "10.0.0.1")
        let refused = try Connection(from: "10.0.0.1")
        #expect(closed.waiting.count == 1 && refused.waiting.count == 1)
        _ = try closed.channel.finish()
        try refused.channel.writeInbound(ByteBuffer(string: "GET / HTTP/1.1"))
        refused.channel.embeddedEventLoop.run()
        #expect(closed.waiting.count == 0 && refused.waiting.count == 0)
    }

    @Test func otherAddressesDoNotWait() throws {
        let connection = try Connection(from: "192.0.2.9")
        #expect(connection.waiting.count == 0)
        _ = try connection.channel.finish()
    }

    /// The limits for each address do not apply to processes of the gateway's own machine. A header that names a
    /// loopback address must not free a peer from these limits.
    @Test(arguments: [[192, 0, 2, 1], [127, 0, 0, 1]] as [[UInt8]])
    func headerDoesNotPlaceAPeerOnThisMachine(told: [UInt8]) throws {
        let connection = try Connection(from: "10.0.0.1")
        try connection.channel.writeInbound(ByteBuffer(bytes: Self.header(from: told)))
        #expect(connection.peer.told != nil)
        #expect(!connection.peer.isOfThisMachine(on: connection.channel))
        _ = try connection.channel.finish()
    }

    @Test func connectionFromALoopbackAddressIsOfThisMachine() throws {
        let connection = try Connection(from: "127.0.0.1")
        #expect(connection.peer.isOfThisMachine(on: connection.channel))
        _ = try connection.channel.finish()
    }
}
