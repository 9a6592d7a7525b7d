import NIOCore
import NIOPosix
import SecureChannel
import SystemSupport

/// Opens connections to the gateway.
struct GatewayDialer: Sendable {
    let host: String
    let port: Int

    /// Opens one connection. The event loop of the caller also runs the connection.
    ///
    /// - Parameters:
    ///   - tls: the context of the connection; `nil` for plain TCP.
    ///   - interface: the network interface that the connection uses; `nil` to follow the system's routes.
    ///   - makeHandler: makes the last handler of the connection. Its argument is the TLS handler, if there is one.
    func connect(
        on eventLoop: any EventLoop, tls: TLSContext?, by interface: String?,
        makeHandler: @escaping @Sendable (TLSHandler?) -> AgentConnectionHandler
    ) -> EventLoopFuture<any Channel> {
        let connected = ClientBootstrap(group: eventLoop)
            .connectTimeout(.seconds(20))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                let prepared: EventLoopFuture<Void> = channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    let security = try tls?.makeHandler()
                    if let security { try pipeline.addHandler(security) }
                    try pipeline.addHandler(FlushGatherer())
                    try pipeline.addHandler(makeHandler(security))
                }
                return prepared.flatMap { NetworkInterfaces.bind(channel, to: interface) }
            }
            .connect(host: host, port: port)
        return connected.map { channel in
            CongestionControl.choose(for: channel)
            return channel
        }
    }
}
