import Foundation
package import NIOCore
package import TransferCore

/// Counts connections whose device has not said HELLO: anybody may make these, so they are few.
///
/// A newcomer always gets in: where there are too many, the oldest gives way, of the same address if it has too many,
/// else of the address that has the most. Who says nothing keeps nobody out for long, and an address keeps out none but
/// itself.
package struct Doorstep {
    /// A connection that is at the doorstep.
    package struct Stranger: Hashable, Sendable {
        fileprivate let number: UInt64
        fileprivate let address: String
    }

    private let strangersMax: Int
    private let strangersPerAddressMax: Int
    /// The oldest first; none is empty.
    private var byAddress: [String: [Stranger]] = [:]
    package private(set) var count = 0
    private var lastNumber: UInt64 = 0

    package init(_ limits: GatewayLimits) {
        strangersMax = max(limits.strangersMax, 1)
        strangersPerAddressMax = max(limits.strangersPerAddressMax, 1)
    }

    /// - Parameter address: by `address(of:)`.
    /// - Returns: the newcomer, whose `left` is owed, and who has to go for it. For that one `left` has been done.
    package mutating func enter(_ address: String) -> (newcomer: Stranger, leaving: Stranger?) {
        var leaving: Stranger?
        if let here = byAddress[address], here.count >= strangersPerAddressMax {
            leaving = here.first
        } else if count >= strangersMax {
            leaving = byAddress.values.max { Self.goesLater($0, $1) }?.first
        }
        if let leaving { left(leaving) }
        lastNumber += 1
        let newcomer = Stranger(number: lastNumber, address: address)
        byAddress[address, default: []].append(newcomer)
        count += 1
        return (newcomer, leaving)
    }

    /// Of two addresses, whether the first one's strangers are fewer, or as many and younger.
    private static func goesLater(_ left: [Stranger], _ right: [Stranger]) -> Bool {
        left.count != right.count ? left.count < right.count : (left.first?.number ?? 0) > (right.first?.number ?? 0)
    }

    /// A connection has ended, or its device is known now. Does nothing when called again.
    package mutating func left(_ stranger: Stranger) {
        guard let index = byAddress[stranger.address]?.firstIndex(of: stranger) else { return }
        byAddress[stranger.address]?.remove(at: index)
        if byAddress[stranger.address]?.isEmpty == true { byAddress[stranger.address] = nil }
        count -= 1
    }

    /// What of a peer's address counts as one address: without its port, and of IPv6 the first 64 bits, since whoever
    /// has one such address has them all.
    package static func address(of peer: SocketAddress?) -> String {
        guard case .v6(let address)? = peer else { return peer?.ipAddress ?? "" }
        var bytes = address.address.sin6_addr
        let all = withUnsafeBytes(of: &bytes) { Array($0) }
        // An IPv4 address as a socket for both families shows it.
        let isMapped = all.prefix(10).allSatisfy { $0 == 0 } && all[10...11].allSatisfy { $0 == 0xFF }
        return (isMapped ? all[12...] : all[..<8]).map(String.init).joined(separator: ".")
    }
}
