package import TransferCommon

/// Decides when a peer may begin its handshake. A handshake costs the gateway two signatures and a key exchange, and
/// any host can ask for one.
///
/// One token bucket limits the handshakes of each address, another one limits all handshakes together. A peer for which
/// there is no token waits. Addresses take turns, and the peers of one address begin in the order in which they came.
/// So one address that asks for many handshakes delays its own peers and not those of other addresses. The caller
/// bounds how many peers wait (`PreAuthenticationLimiter`).
///
/// The budget keeps a peer from `arrived` until `takeDue` returns its ticket or `left` is called.
package struct HandshakeBudget: Sendable {
    /// Sizes and refill rates of the bucket for all handshakes, and of the bucket that each address has.
    package struct Limits: Equatable, Sendable {
        package var atOnce: UInt64
        package var perSecond: UInt64
        package var perAddressAtOnce: UInt64
        package var perAddressPerSecond: UInt64

        /// The default values. One address may begin as many handshakes at once as it may have unauthenticated
        /// connections: the devices behind one router connect again at the same time after an outage.
        package init(
            atOnce: UInt64 = 400, perSecond: UInt64 = 400, perAddressAtOnce: UInt64 = 256,
            perAddressPerSecond: UInt64 = 40
        ) {
            self.atOnce = atOnce
            self.perSecond = perSecond
            self.perAddressAtOnce = perAddressAtOnce
            self.perAddressPerSecond = perAddressPerSecond
        }
    }

    /// A peer that waits for its handshake.
    package struct Ticket: Hashable, Sendable {
        fileprivate let number: UInt64
        fileprivate let address: String
    }

    /// Whether a peer may begin its handshake.
    package enum OnArrival: Equatable, Sendable {
        case begin
        case wait(Ticket)
    }

    private struct Address {
        var allowance: Allowance
        /// Numbers of the tickets that wait, in the order of their arrival.
        var queue: [UInt64] = []
    }

    private let limits: Limits
    private var common: Allowance
    private var addresses: [String: Address] = [:]
    /// Addresses with waiting peers, in the order of their turns.
    private var turns: [String] = []
    private var lastNumber: UInt64 = 0
    /// When the budget keeps this many addresses, the next arrival removes the idle ones. The number is then set to
    /// twice the number of remaining addresses, so that few arrivals have to look at all addresses.
    private var addressesBeforeCleaning = HandshakeBudget.addressesBeforeFirstCleaning
    private static let addressesBeforeFirstCleaning = 1_024

    /// The earliest time at which a waiting peer may begin; `nil` if no peer waits.
    package private(set) var nextDeadline: Instant?

    package init(_ limits: Limits = Limits()) {
        self.limits = limits
        self.common = Allowance(atOnce: limits.atOnce, perSecond: limits.perSecond)
    }

    /// How many peers wait.
    package var waitingCount: Int { turns.reduce(0) { $0 + (addresses[$1]?.queue.count ?? 0) } }

    /// How many addresses the budget keeps.
    package var addressCount: Int { addresses.count }

    /// Decides whether a peer begins its handshake at once or waits.
    ///
    /// - Parameters:
    ///   - address: the text under which the peers of one owner count (`PreAuthenticationLimiter.address`).
    ///   - isLimited: whether the limit of one address applies to the peer.
    package mutating func arrived(from address: String, isLimited: Bool = true, now: Instant) -> OnArrival {
        forgetIdleAddresses(now)
        let key = isLimited ? address : Self.unlimited
        var entry = addresses[key] ?? makeAddress(isLimited: isLimited)
        defer { addresses[key] = entry }
        if turns.isEmpty {
            guard let missing = take(from: &entry, now) else { return .begin }
            nextDeadline = now + missing
        } else if entry.queue.isEmpty {
            // Peers that came earlier wait. `takeDue` decides whose turn it is.
            nextDeadline = now
        }
        lastNumber += 1
        if entry.queue.isEmpty { turns.append(key) }
        entry.queue.append(lastNumber)
        return .wait(Ticket(number: lastNumber, address: key))
    }

    /// Removes a waiting peer that is gone. Safe to repeat, also for a peer that has begun.
    package mutating func left(_ ticket: Ticket) {
        guard let index = addresses[ticket.address]?.queue.firstIndex(of: ticket.number) else { return }
        addresses[ticket.address]?.queue.remove(at: index)
        if addresses[ticket.address]?.queue.isEmpty == true { turns.removeAll { $0 == ticket.address } }
        if turns.isEmpty { nextDeadline = nil }
    }

    /// Takes the peers that may begin now, in order. Addresses take turns.
    package mutating func takeDue(now: Instant) -> [Ticket] {
        var due: [Ticket] = []
        var wait: Duration?
        var index = 0
        while index < turns.count {
            let key = turns[index]
            guard var entry = addresses[key], let first = entry.queue.first else {
                // Every address with a turn has a waiting peer, so this does not happen.
                turns.remove(at: index)
                continue
            }
            let missing = take(from: &entry, now)
            if missing == nil { entry.queue.removeFirst() }
            addresses[key] = entry
            if let missing {
                wait = min(wait ?? missing, missing)
                // If only the address has no token, another address may have one.
                guard hasCommonToken(now) else { break }
                index += 1
            } else {
                due.append(Ticket(number: first, address: key))
                turns.remove(at: index)
                if !entry.queue.isEmpty { turns.append(key) }
            }
        }
        nextDeadline = turns.isEmpty ? nil : now + (wait ?? .zero)
        return due
    }

    /// Takes one token from the common bucket and one from the bucket of the address.
    ///
    /// - Returns: `nil` if both had one; otherwise the time until both may have one.
    private mutating func take(from entry: inout Address, _ now: Instant) -> Duration? {
        if let missing = common.take(now: now) { return missing }
        if let missing = entry.allowance.take(now: now) {
            common.giveBack()
            return missing
        }
        return nil
    }

    private func hasCommonToken(_ now: Instant) -> Bool {
        var bucket = common
        return bucket.take(now: now) == nil
    }

    private func makeAddress(isLimited: Bool) -> Address {
        Address(
            allowance: isLimited
                ? Allowance(atOnce: limits.perAddressAtOnce, perSecond: limits.perAddressPerSecond)
                : Allowance(atOnce: limits.atOnce, perSecond: limits.perSecond))
    }

    /// All peers to which the limit of one address does not apply share this entry of `addresses`. No address has this
    /// text.
    private static let unlimited = "unlimited"

    /// Removes addresses whose buckets are full again: a new entry for such an address is equal to the removed one. The
    /// common bucket bounds how many addresses are added until then.
    private mutating func forgetIdleAddresses(_ now: Instant) {
        guard addresses.count >= addressesBeforeCleaning else { return }
        addresses = addresses.filter { !$0.value.queue.isEmpty || !$0.value.allowance.isFull(now: now) }
        addressesBeforeCleaning = max(Self.addressesBeforeFirstCleaning, 2 * addresses.count)
    }
}
