package import NIOCore
package import TransferCore

/// Limits the connections whose device has not sent HELLO yet. Any host can open such a connection.
///
/// The limiter always admits a new connection. To make room, it names one connection that the caller must close. If the
/// new connection's address has reached its own maximum, that is the oldest connection of this address. If only the
/// total has reached its maximum, that is the oldest connection of the address with the most connections. Therefore one
/// address that opens many silent connections displaces its own connections and not those of other devices.
///
/// A connection from a balancer counts apart until its PROXY header has named the peer. All these connections have the
/// balancer's address, so only their number is bounded, and the oldest one makes room.
package struct PreAuthenticationLimiter {
    /// A connection whose device has not said HELLO.
    package struct Peer: Hashable, Sendable {
        fileprivate let number: UInt64
        /// `nil` if the connection waits for its PROXY header.
        fileprivate let address: String?
    }

    private let unauthenticatedPeersMax: Int
    private let unauthenticatedPeersPerAddressMax: Int
    private let peersBeforeProxyHeaderMax: Int
    /// Connections by address, the oldest first. No list is empty.
    private var byAddress: [String: [Peer]] = [:]
    /// Connections that wait for their PROXY header, the oldest first.
    private var beforeProxyHeader: [Peer] = []
    /// Number of unauthenticated connections, without those that wait for their PROXY header.
    package private(set) var count = 0
    private var lastNumber: UInt64 = 0

    package init(_ limits: GatewayLimits) {
        unauthenticatedPeersMax = max(limits.unauthenticatedPeersMax, 1)
        unauthenticatedPeersPerAddressMax = max(limits.unauthenticatedPeersPerAddressMax, 1)
        peersBeforeProxyHeaderMax = max(limits.peersBeforeProxyHeaderMax, 1)
    }

    /// How many connections wait for their PROXY header.
    package var countBeforeProxyHeader: Int { beforeProxyHeader.count }

    /// Registers a new connection.
    ///
    /// - Parameter address: the peer's address, as `address(of:)` returns it.
    /// - Returns: the new connection, for which the caller calls `left` later, and the connection that the caller must
    ///   close to make room; `enter` has already called `left` for the latter.
    package mutating func enter(_ address: String) -> (newcomer: Peer, leaving: Peer?) {
        var leaving: Peer?
        if let here = byAddress[address], here.count >= unauthenticatedPeersPerAddressMax {
            leaving = here.first
        } else if count >= unauthenticatedPeersMax {
            leaving = byAddress.values.max { Self.goesLater($0, $1) }?.first
        }
        if let leaving { left(leaving) }
        lastNumber += 1
        let newcomer = Peer(number: lastNumber, address: address)
        byAddress[address, default: []].append(newcomer)
        count += 1
        return (newcomer, leaving)
    }

    /// Registers a connection from a balancer. When its PROXY header has arrived, the caller calls `left`, and then
    /// `enter` with the address of the peer.
    ///
    /// - Returns: as `enter`.
    package mutating func enterBeforeProxyHeader() -> (newcomer: Peer, leaving: Peer?) {
        let isFull = beforeProxyHeader.count >= peersBeforeProxyHeaderMax
        let leaving = isFull ? beforeProxyHeader.removeFirst() : nil
        lastNumber += 1
        let newcomer = Peer(number: lastNumber, address: nil)
        beforeProxyHeader.append(newcomer)
        return (newcomer, leaving)
    }

    /// Whether `right` loses a connection before `left` does: `right` has more connections, or it has equally many and
    /// one of them is older than all of `left`.
    private static func goesLater(_ left: [Peer], _ right: [Peer]) -> Bool {
        left.count != right.count ? left.count < right.count : (left.first?.number ?? 0) > (right.first?.number ?? 0)
    }

    /// Removes a connection because it has ended, its device is known, or its PROXY header has arrived. Safe to repeat.
    package mutating func left(_ peer: Peer) {
        guard let address = peer.address else { return beforeProxyHeader.removeAll { $0 == peer } }
        guard let index = byAddress[address]?.firstIndex(of: peer) else { return }
        byAddress[address]?.remove(at: index)
        if byAddress[address]?.isEmpty == true { byAddress[address] = nil }
        count -= 1
    }

    /// The text under which the connections of a peer are counted: the peer's IP address without the port. Of an IPv6
    /// address only the first 64 bits count, because one host usually has all addresses that share them.
    package static func address(of peer: SocketAddress?) -> String {
        guard let bytes = peer.flatMap({ IPAddress($0) })?.bytes else { return "" }
        return bytes.prefix(8).map(String.init).joined(separator: ".")
    }
}
