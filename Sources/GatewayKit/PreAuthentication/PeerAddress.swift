package import NIOCore
import TransferCommon

/// The address of one connection's peer. Behind a balancer, it is the address that the balancer has named.
package final class PeerAddress {
    /// The address that a PROXY header has named; `nil` if there is none.
    package var told: SocketAddress?

    package init() {}

    /// The address of the peer, under which the connection is counted and logged.
    func address(of channel: any Channel) -> SocketAddress? { told ?? channel.remoteAddress }

    /// Whether the peer is a process of this machine, as far as TCP shows it. An address in a PROXY header proves
    /// nothing about that: any peer behind a balancer could have a loopback address there.
    package func isOfThisMachine(on channel: any Channel) -> Bool {
        guard told == nil else { return false }
        return channel.remoteAddress?.ipAddress.map(LoopbackAddress.isLoopback(address:)) ?? true
    }
}
