import GatewayKit
import Logging
import NIOCore
import NIOEmbedded
import Testing

/// Tests of what the next channel handlers receive from a connection that begins with a PROXY header.
@Suite struct ProxyHeaderHandlerTests {
    /// The next channel handler. It records what it receives.
    private final class Recorder: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        var events: [String] = []

        func channelActive(context: ChannelHandlerContext) { events.append("active") }
        func channelInactive(context: ChannelHandlerContext) { events.append("inactive") }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            events.append(String(buffer: unwrapInboundIn(data)))
        }
    }

    private struct Connection {
        let channel = EmbeddedChannel()
        let recorder = Recorder()
        let peer = PeerAddress()

        init(from address: String) throws {
            let networks = try #require(ProxyNetworks(parsing: "10.0.0.0/8"))
            let handler = ProxyHeaderHandler(
                networks: networks, peer: peer, limit: .seconds(10), logger: Logger(label: "test"))
            try channel.pipeline.syncOperations.addHandlers([handler, recorder])
            let address = try SocketAddress(ipAddress: address, port: 7)
            channel.remoteAddress = address
            channel.connect(to: address, promise: nil)
        }
    }

    private static let header: [UInt8] =
        [0x0D, 0x0A, 0x0D, 0x0A, 0, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A, 0x21, 0x11, 0, 12]
        + [192, 0, 2, 1, 10, 0, 0, 1, 0x12, 0x34, 0x1C, 0xFC]

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

    /// A header from any other address would let a peer choose its address. It is passed on, and TLS refuses it.
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
}
