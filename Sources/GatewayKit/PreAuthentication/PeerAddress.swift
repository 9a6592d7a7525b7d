package import NIOCore

/// The address of one connection's peer. Behind a balancer, it is the address that the balancer has named.
package final class PeerAddress {
    /// The address that a PROXY header has named; `nil` if there is none.
    package var told: SocketAddress?

    package init() {}

    /// The address of the peer, under which the connection is counted and logged.
    func address(of channel: any Channel) -> SocketAddress? { told ?? channel.remoteAddress }
}
