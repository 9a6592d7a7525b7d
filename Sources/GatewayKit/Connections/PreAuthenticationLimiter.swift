import Foundation
package import NIOCore
package import TransferCore

/// Limits the connections whose device has not sent HELLO yet. Any host can open such a connection.
///
/// The limiter always admits a new connection. If there are too many, it closes the oldest one: of the same address if
/// that address has too many, else of the address with the most. So silent connections block other devices only for a
/// moment, and an address can block only itself.
package struct PreAuthenticationLimiter {
    /// A connection whose device has not said HELLO.
    package struct Peer: Hashable, Sendable {
        fileprivate let number: UInt64
        fileprivate let address: String
    }

    private let unauthenticatedPeersMax: Int
    private let unauthenticatedPeersPerAddressMax: Int
    /// The connections of each address, the oldest first. An address without connections has no entry.
    private var byAddress: [String: [Peer]] = [:]
    package private(set) var count = 0
    private var lastNumber: UInt64 = 0

    package init(_ limits: GatewayLimits) {
        unauthenticatedPeersMax = max(limits.unauthenticatedPeersMax, 1)
        unauthenticatedPeersPerAddressMax = max(limits.unauthenticatedPeersPerAddressMax, 1)
    }

    /// - Parameter address: result of `address(of:)`.
    /// - Returns: the new connection, for which the caller calls `left` later, and the connection that the caller must
    ///   close to make room. For the closed one the caller need not call `left`.
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

    /// Whether a connection of the right address is closed before one of the left: the right address has more
    /// unauthenticated peers, or equally many and the oldest.
    private static func goesLater(_ left: [Peer], _ right: [Peer]) -> Bool {
        left.count != right.count ? left.count < right.count : (left.first?.number ?? 0) > (right.first?.number ?? 0)
    }

    /// Removes a connection that has ended or whose device is known. Safe to repeat.
    package mutating func left(_ peer: Peer) {
        guard let index = byAddress[peer.address]?.firstIndex(of: peer) else { return }
        byAddress[peer.address]?.remove(at: index)
        if byAddress[peer.address]?.isEmpty == true { byAddress[peer.address] = nil }
        count -= 1
    }

    /// The part of a peer's address that counts as one address: without the port, and only the first 64 bits of an IPv6
    /// address, since the owner of one IPv6 address usually owns all addresses with these bits.
    package static func address(of peer: SocketAddress?) -> String {
        guard let peer, let text = peer.ipAddress else { return "" }
        guard case .v6 = peer else { return text }
        // The members of `sockaddr_in6` are visible or not depending on the order in which files are compiled.
        var all = [UInt8](repeating: 0, count: 16)
        inet_pton(AF_INET6, text, &all)
        // A socket for both families shows an IPv4 address as a mapped IPv6 address.
        let isMapped = all.prefix(10).allSatisfy { $0 == 0 } && all[10...11].allSatisfy { $0 == 0xFF }
        return (isMapped ? all[12...] : all[..<8]).map(String.init).joined(separator: ".")
    }
}
