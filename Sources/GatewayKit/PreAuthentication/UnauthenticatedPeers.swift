import NIOCore
import TransferCore

/// The connections whose device has not sent HELLO yet. `PreAuthenticationLimiter` decides which of them closes to make
/// room; this type knows their channels.
struct UnauthenticatedPeers {
    private var limiter: PreAuthenticationLimiter
    private var channels: [PreAuthenticationLimiter.Peer: any Channel] = [:]

    init(_ limits: GatewayLimits) {
        limiter = PreAuthenticationLimiter(limits)
    }

    /// Registers a new connection.
    ///
    /// - Parameter address: the peer's address, which a balancer may have named.
    /// - Returns: the connection's entry, and the channel that the caller drops to make room.
    mutating func connected(
        _ channel: any Channel, from address: SocketAddress?
    ) -> (newcomer: PreAuthenticationLimiter.Peer, leaving: (any Channel)?) {
        keep(channel, as: limiter.enter(PreAuthenticationLimiter.address(of: address)))
    }

    /// Registers a connection from a balancer, whose PROXY header has not arrived.
    ///
    /// - Returns: as `connected`.
    mutating func awaitsProxyHeader(
        _ channel: any Channel
    ) -> (newcomer: PreAuthenticationLimiter.Peer, leaving: (any Channel)?) {
        keep(channel, as: limiter.enterBeforeProxyHeader())
    }

    private mutating func keep(
        _ channel: any Channel,
        as entry: (newcomer: PreAuthenticationLimiter.Peer, leaving: PreAuthenticationLimiter.Peer?)
    ) -> (newcomer: PreAuthenticationLimiter.Peer, leaving: (any Channel)?) {
        channels[entry.newcomer] = channel
        return (entry.newcomer, entry.leaving.flatMap { channels.removeValue(forKey: $0) })
    }

    /// Unregisters a connection that has ended, said HELLO, or got its PROXY header.
    mutating func left(_ peer: PreAuthenticationLimiter.Peer) {
        channels[peer] = nil
        limiter.left(peer)
    }
}
