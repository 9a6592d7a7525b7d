import NIOCore
import NIOPosix
import Synchronization

/// A proxy in front of an HTTP server that disturbs some requests.
package final class MeddlingProxy: Sendable {
    /// How the proxy disturbs a request.
    package enum Harm: Sendable {
        /// The server executes the request, and the proxy closes the client's connection instead of answering.
        case losesAnswer
        /// The proxy changes one byte of the request's body.
        case flipsByte
    }

    /// The address `http://127.0.0.1:<port>`.
    package let endpoint: String
    fileprivate let state: ProxyState

    /// Number of disturbed requests.
    package var harmCount: Int { state.count.withLock { $0 } }

    fileprivate init(port: Int, state: ProxyState) {
        self.endpoint = "http://127.0.0.1:\(port)"
        self.state = state
    }

    /// Runs `body` with a proxy, and always stops the proxy.
    ///
    /// - Parameters:
    ///   - upstreamPort: the server's port on this machine.
    ///   - countMax: the largest number of requests that the proxy disturbs.
    ///   - harms: receives a request's first line, such as `POST /bucket/key?uploadId=1 HTTP/1.1`; returns whether to
    ///     disturb the request.
    package static func withProxy<Success>(
        upstreamPort: Int, _ harm: Harm = .losesAnswer, countMax: Int = 1,
        harms: @escaping @Sendable (Substring) -> Bool,
        _ body: (MeddlingProxy) async throws -> Success
    ) async throws -> Success {
        let state = ProxyState(upstreamPort: upstreamPort, harm: harm, countMax: countMax, harms: harms)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 256)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ClientSide(state: state))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let proxy = MeddlingProxy(port: channel.localAddress?.port ?? 0, state: state)
        let result: Result<Success, any Error>
        do {
            result = .success(try await body(proxy))
        } catch {
            result = .failure(error)
        }
        try await channel.close()
        return try result.get()
    }
}

private final class ProxyState: Sendable {
    let upstreamPort: Int
    let harm: MeddlingProxy.Harm
    let countMax: Int
    let harms: @Sendable (Substring) -> Bool
    let count = Mutex(0)

    init(
        upstreamPort: Int, harm: MeddlingProxy.Harm, countMax: Int, harms: @escaping @Sendable (Substring) -> Bool
    ) {
        self.upstreamPort = upstreamPort
        self.harm = harm
        self.countMax = countMax
        self.harms = harms
    }

    /// Whether to disturb the request that begins with these bytes. Clients write a request's head at once, so a
    /// request line never begins in the middle of a read.
    func takes(_ buffer: ByteBuffer) -> Bool {
        guard let head = buffer.getString(at: buffer.readerIndex, length: min(buffer.readableBytes, 2_048)),
            let line = head.split(separator: "\r\n", maxSplits: 1).first, line.hasSuffix(" HTTP/1.1"), harms(line)
        else { return false }
        return count.withLock { count in
            guard count < countMax else { return false }
            count += 1
            return true
        }
    }
}

private final class ClientSide: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let state: ProxyState
    private var server: (any Channel)?
    /// The disturbance that the current request still needs.
    private var harm: MeddlingProxy.Harm?

    init(state: ProxyState) {
        self.state = state
    }

    func channelActive(context: ChannelHandlerContext) {
        let side = NIOLoopBound(self, eventLoop: context.eventLoop)
        let client = context.channel
        ClientBootstrap(group: context.eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ServerSide(client: client, side: side))
                }
            }
            .connect(host: "127.0.0.1", port: state.upstreamPort)
            .assumeIsolated()
            .whenComplete { result in
                switch result {
                case .success(let channel):
                    self.server = channel
                    client.setOption(.autoRead, value: true).assumeIsolated().whenFailure { _ in
                        client.close(promise: nil)
                    }
                case .failure:
                    client.close(promise: nil)
                }
            }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        var bodyBytes = buffer.readableBytes
        if state.takes(buffer) {
            harm = state.harm
            bodyBytes = Self.bytesBehindHead(buffer)
        }
        if harm == .flipsByte, bodyBytes > 0, let last = buffer.getInteger(at: buffer.writerIndex - 1, as: UInt8.self) {
            harm = nil
            buffer.setInteger(last ^ 1, at: buffer.writerIndex - 1)
        }
        server?.writeAndFlush(buffer, promise: nil)
    }

    private static func bytesBehindHead(_ buffer: ByteBuffer) -> Int {
        guard let end = buffer.readableBytesView.firstRange(of: Array("\r\n\r\n".utf8)) else { return 0 }
        return buffer.readableBytesView.endIndex - end.upperBound
    }

    func channelInactive(context: ChannelHandlerContext) {
        server?.close(promise: nil)
    }

    func answered(_ buffer: ByteBuffer, to client: any Channel) {
        if harm == .losesAnswer {
            client.close(promise: nil)
        } else {
            client.writeAndFlush(buffer, promise: nil)
        }
    }
}

private final class ServerSide: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let client: any Channel
    private let side: NIOLoopBound<ClientSide>

    init(client: any Channel, side: NIOLoopBound<ClientSide>) {
        self.client = client
        self.side = side
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        side.value.answered(unwrapInboundIn(data), to: client)
    }

    func channelInactive(context: ChannelHandlerContext) {
        client.close(promise: nil)
    }
}
