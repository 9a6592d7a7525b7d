import Foundation
import NIOCore
import NIOPosix
import TestSupport
import Testing

/// One end of a real TCP connection. Records the bytes that it receives.
final class Peer: Sendable {
    /// How the other side ended its direction of the connection.
    enum Ending: Equatable {
        case endOfFile
        case reset
        case failure(String)
    }

    struct Received {
        var bytes: [UInt8] = []
        var ending: Ending?
    }

    let received = Watched(Received())
    private let channel: any Channel

    private init(channel: any Channel) throws {
        self.channel = channel
        try channel.pipeline.syncOperations.addHandler(PeerHandler(received: received))
    }

    static func connect(toPort port: Int) async throws -> Peer {
        let peer = Watched<Peer?>(nil)
        _ = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let made = try Peer(channel: channel)
                    peer.update { $0 = made }
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        return try await peer.wait { $0 }
    }

    /// Sends bytes and returns when the kernel has accepted all of them.
    func send(_ bytes: [UInt8]) async throws {
        let channel = channel
        try await withDeadline(.seconds(120), "\(bytes.count) bytes to be sent") {
            try await channel.writeAndFlush(ByteBuffer(bytes: bytes))
        }
    }

    func sendEndOfFile() async throws {
        try await channel.close(mode: .output)
    }

    /// Closes both directions, like the exit of a process.
    func close() async throws {
        try await channel.close()
    }

    /// Closes the socket so that the other side receives a reset.
    func reset() async throws {
        let lingerNot = linger(l_onoff: 1, l_linger: 0)
        try await (channel as? any SocketOptionProvider)?.setSoLinger(lingerNot).get()
        try await channel.close()
    }

    func setReading(_ isReading: Bool) async throws {
        try await channel.setOption(.autoRead, value: isReading).get()
    }

    func waitForBytes(_ count: Int) async throws -> [UInt8] {
        try await withDeadline(.seconds(120), "\(count) bytes", detail: { "\(self.received.current.bytes.count) came" })
        {
            try await self.received.wait { $0.bytes.count >= count ? $0.bytes : nil }
        }
    }

    func waitForEnding() async throws -> Ending {
        try await withDeadline(.seconds(120), "the end of the connection") {
            try await self.received.wait { $0.ending }
        }
    }

    fileprivate static func accepted(_ channel: any Channel) throws -> Peer { try Peer(channel: channel) }
}

/// A listening socket that collects its connections.
final class PeerListener: Sendable {
    let port: Int
    let peers: Watched<[Peer]>
    private let channel: any Channel

    private init(port: Int, peers: Watched<[Peer]>, channel: any Channel) {
        self.port = port
        self.peers = peers
        self.channel = channel
    }

    static func start() async throws -> PeerListener {
        let peers = Watched<[Peer]>([])
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let peer = try Peer.accepted(channel)
                    peers.update { $0.append(peer) }
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return PeerListener(port: channel.localAddress?.port ?? 0, peers: peers, channel: channel)
    }

    func peer(_ index: Int = 0) async throws -> Peer {
        try await withDeadline(.seconds(120), "connection \(index)") {
            try await self.peers.wait { index < $0.count ? $0[index] : nil }
        }
    }

    func stop() async throws {
        try await channel.close()
    }
}

private final class PeerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let received: Watched<Peer.Received>

    init(received: Watched<Peer.Received>) {
        self.received = received
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        received.update { $0.bytes.append(contentsOf: bytes.readableBytesView) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .some(.inputClosed) = event as? ChannelEvent else { return }
        received.update { $0.ending = $0.ending ?? .endOfFile }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let ending = (error as? IOError)?.errnoCode == ECONNRESET ? Peer.Ending.reset : .failure("\(error)")
        received.update { $0.ending = $0.ending ?? ending }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        received.update { $0.ending = $0.ending ?? .endOfFile }
    }
}

/// A client and a server connected through a proxy.
struct Pair: Sendable {
    let proxy: FaultProxy
    let client: Peer
    let server: Peer

    func peer(at end: ProxyEnd) -> Peer {
        switch end {
        case .client: client
        case .upstream: server
        }
    }

    func wait(_ awaited: String, until wanted: @escaping @Sendable (ProxyCounts) -> Bool) async throws {
        let proxy = proxy
        try await withDeadline(.seconds(120), awaited, detail: { "\(proxy.counts)" }) {
            try await proxy.wait(until: wanted)
        }
    }

    /// Waits until the proxy holds its maximum of bytes towards the upstream, and checks that it reads no more.
    func waitUntilFull() async throws {
        try await wait("the proxy to be full") { $0.towardsUpstream.bytesHeldMax >= FaultProxy.heldBytesMax }
        let proxy = proxy
        // The proxy may exceed the maximum by one read from the socket. Only the passing of time can show that no
        // second read follows.
        await #expect(throws: DeadlineExceeded.self) {
            try await withDeadline(.milliseconds(500), "the proxy to hold too much") {
                try await proxy.wait { $0.towardsUpstream.bytesHeldMax > FaultProxy.heldBytesMax + 2 << 20 }
            }
        }
    }
}

/// Runs `body` with a connection through a proxy, and closes everything afterwards.
func withPair(faults: Faults = Faults(), _ body: (Pair) async throws -> Void) async throws {
    let listener = try await PeerListener.start()
    try await withFaultProxy(upstreamPort: listener.port, faults: faults) { proxy in
        let client = try await Peer.connect(toPort: proxy.port)
        try await body(Pair(proxy: proxy, client: client, server: listener.peer()))
    }
    try await listener.stop()
}

extension Faults {
    /// The same faults in both directions.
    init(bothWays direction: DirectionFaults) {
        self.init()
        towardsUpstream = direction
        towardsClient = direction
    }
}

extension DirectionFaults {
    /// Starts without faults and applies `change`.
    init(_ change: (inout DirectionFaults) -> Void) {
        self.init()
        change(&self)
    }
}
