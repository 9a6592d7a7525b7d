import NIOCore
import NIOPosix
import Synchronization

/// An HTTP proxy that makes connections with CONNECT. It connects every client to one server, whatever host the client
/// asks for, so a test can use host names that only the proxy knows.
package final class ForwardProxy: Sendable {
    /// Host and port of the proxy, `127.0.0.1:<port>`.
    package let authority: String
    fileprivate let log = Mutex<[String]>([])
    fileprivate let upstreamPort: Int
    fileprivate let authorization: String?

    /// The hosts, with their ports, that clients were connected to, in order.
    package var hosts: [String] { log.withLock { $0 } }

    private init(port: Int, upstreamPort: Int, authorization: String?) {
        self.authority = "127.0.0.1:\(port)"
        self.upstreamPort = upstreamPort
        self.authorization = authorization
    }

    /// Runs `body` with a proxy, and always stops the proxy.
    ///
    /// - Parameters:
    ///   - upstreamPort: the server's port on this machine.
    ///   - authorization: the header `Proxy-Authorization` that the proxy demands; `nil` for none.
    package static func withProxy<Success>(
        upstreamPort: Int, authorization: String? = nil, _ body: (ForwardProxy) async throws -> Success
    ) async throws -> Success {
        let holding = ProxyHolder()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 256)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let proxy = holding.proxy.withLock({ $0 }) else { throw ChannelError.ioOnClosedChannel }
                    try channel.pipeline.syncOperations.addHandler(ProxiedClient(proxy))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let proxy = ForwardProxy(
            port: channel.localAddress?.port ?? 0, upstreamPort: upstreamPort, authorization: authorization)
        holding.proxy.withLock { $0 = proxy }
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

/// Gives the connections their proxy. The port opens before the `ForwardProxy` exists, so connections get this holder,
/// which receives the proxy later.
private final class ProxyHolder: Sendable {
    let proxy = Mutex<ForwardProxy?>(nil)
}

private final class ProxiedClient: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        case reading(ByteBuffer)
        case connecting
        case connected(any Channel)
    }

    private let proxy: ForwardProxy
    private var state = State.reading(ByteBuffer())

    init(_ proxy: ForwardProxy) {
        self.proxy = proxy
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        switch state {
        case .reading(var head):
            head.writeBuffer(&bytes)
            state = .reading(head)
            let text = String(buffer: head)
            if text.hasSuffix("\r\n\r\n") { answer(text, context) }
        case .connecting:
            // A correct client sends nothing before it has the proxy's answer.
            context.close(promise: nil)
        case .connected(let server):
            server.writeAndFlush(bytes, promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if case .connected(let server) = state { server.close(promise: nil) }
    }

    private func answer(_ head: String, _ context: ChannelHandlerContext) {
        let lines = head.split(separator: "\r\n")
        let words = lines.first?.split(separator: " ") ?? []
        guard words.count == 3, words[0] == "CONNECT" else { return refuse("405 Method Not Allowed", context) }
        let sent = lines.first { $0.lowercased().hasPrefix("proxy-authorization: ") }?
            .dropFirst("proxy-authorization: ".count)
        if let wanted = proxy.authorization, sent.map(String.init) != wanted {
            return refuse("407 Proxy Authentication Required", context)
        }
        proxy.log.withLock { $0.append(String(words[1])) }
        connect(context)
    }

    private func refuse(_ status: String, _ context: ChannelHandlerContext) {
        let answer = ByteBuffer(string: "HTTP/1.1 \(status)\r\nContent-Length: 0\r\n\r\n")
        context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
    }

    private func connect(_ context: ChannelHandlerContext) {
        state = .connecting
        let client = context.channel
        ClientBootstrap(group: context.eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ProxiedServer(client: client))
                }
            }
            .connect(host: "127.0.0.1", port: proxy.upstreamPort)
            .assumeIsolated()
            .whenComplete { result in
                switch result {
                case .success(let server):
                    self.state = .connected(server)
                    let answer = ByteBuffer(string: "HTTP/1.1 200 Connection Established\r\n\r\n")
                    client.writeAndFlush(answer, promise: nil)
                case .failure:
                    client.close(promise: nil)
                }
            }
    }
}

private final class ProxiedServer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let client: any Channel

    init(client: any Channel) {
        self.client = client
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        client.writeAndFlush(unwrapInboundIn(data), promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        client.close(promise: nil)
    }
}
