/// Holds what is sent to a rate, over all connections together: a bucket that fills steadily and holds little, so that
/// the limit is kept over any second without bursts that would fill a queue on the way.
package struct RateLimiter: Equatable, Sendable {
    /// Wire bytes a second; `nil` for no limit.
    package let bytesPerSecond: UInt64?
    private var level: Double
    private var filledAt: Instant

    package init(bytesPerSecond: UInt64?, now: Instant) {
        self.bytesPerSecond = bytesPerSecond.map { max($0, 1) }
        self.level = 0
        self.filledAt = now
    }

    /// When the next bytes may go: `now` or earlier means at once.
    package func readyAt(now: Instant) -> Instant {
        guard let bytesPerSecond else { return now }
        let missing = -levelAt(now)
        guard missing > 0 else { return now }
        return now + .nanoseconds(Int64(min(missing / Double(bytesPerSecond), 3_600) * 1e9) + 1)
    }

    /// Counts bytes that were handed to a socket. The bucket may go below empty by what was sent at once; nothing more
    /// goes until it is made good.
    package mutating func spent(_ bytes: UInt64, now: Instant) {
        guard bytesPerSecond != nil else { return }
        level = levelAt(now) - Double(bytes)
        filledAt = max(now, filledAt)
    }

    /// Bytes that were counted were not sent after all.
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
