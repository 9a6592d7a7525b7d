/// Limits the sending rate of all connections together. The token bucket refills steadily and holds only few bytes. So
/// the limit is kept within every second, and no burst fills a queue on the network.
package struct RateLimiter: Hashable, Sendable {
    /// Wire bytes per second; `nil` for no limit.
    package let bytesPerSecond: UInt64?
    private var level: Double
    private var filledAt: Instant

    package init(bytesPerSecond: UInt64?, now: Instant) {
        self.bytesPerSecond = bytesPerSecond.map { max($0, 1) }
        self.level = 0
        self.filledAt = now
    }

    /// The time from which the next bytes may be sent. A result that is not after `now` means at once.
    package func readyAt(now: Instant) -> Instant {
        guard let bytesPerSecond else { return now }
        let missing = -levelAt(now)
        guard missing > 0 else { return now }
        return now + .nanoseconds(Int64(min(missing / Double(bytesPerSecond), 3_600) * 1e9) + 1)
    }

    /// Counts bytes that were written to a socket. One write may take the level below zero; sending then waits until
    /// the level is back at zero.
    package mutating func spent(_ bytes: UInt64, now: Instant) {
        guard bytesPerSecond != nil else { return }
        level = levelAt(now) - Double(bytes)
        filledAt = max(now, filledAt)
    }

    /// Returns bytes that were counted by `spent` and not sent.
    package mutating func giveBack(_ bytes: UInt64, now: Instant) {
        guard bytesPerSecond != nil else { return }
        level = levelAt(now) + Double(bytes)
        filledAt = max(now, filledAt)
    }

    private func levelAt(_ now: Instant) -> Double {
        guard let bytesPerSecond else { return 0 }
        let burst = Double(bytesPerSecond) / 20
        return min(level + now.since(filledAt).inSeconds * Double(bytesPerSecond), burst)
    }
}
