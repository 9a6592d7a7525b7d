/// Limits the sending rate of all connections together. It is a token bucket with a small capacity: the bytes of a
/// twentieth of a second. The limit therefore holds for every single second, and no burst fills a queue in the network.
package struct RateLimiter: Hashable, Sendable {
    /// Maximum number of bytes per second on the wire; `nil` for no limit.
    package let bytesPerSecond: UInt64?
    private var level: Double
    private var filledAt: Instant

    package init(bytesPerSecond: UInt64?, now: Instant) {
        self.bytesPerSecond = bytesPerSecond.map { max($0, 1) }
        self.level = 0
        self.filledAt = now
    }

    /// The time from which the next bytes may be sent. If it is not later than `now`, they may be sent at once.
    package func readyAt(now: Instant) -> Instant {
        guard let bytesPerSecond else { return now }
        let missing = -levelAt(now)
        guard missing > 0 else { return now }
        return now + .nanoseconds(Int64(min(missing / Double(bytesPerSecond), 3_600) * 1e9) + 1)
    }

    /// Counts bytes that were written to a socket. A write may take the level of the bucket below zero. The next write
    /// then has to wait until the level is zero again.
    package mutating func spent(_ bytes: UInt64, now: Instant) {
        guard bytesPerSecond != nil else { return }
        level = levelAt(now) - Double(bytes)
        filledAt = max(now, filledAt)
    }

    /// Puts back bytes that were counted by `spent` but have not been sent.
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
