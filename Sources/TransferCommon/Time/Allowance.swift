/// Token bucket: burst `atOnce`, refill `perSecond`.
package struct Allowance: Hashable, Sendable {
    /// Time in which the bucket regains one token.
    private let nanosecondsEach: UInt64
    /// Time in which an empty bucket regains all `atOnce` tokens.
    private let nanosecondsAll: UInt64
    /// Time at which the bucket is full again.
    private var wholeAt: UInt64 = 0

    /// - Parameters:
    ///   - atOnce: capacity of the bucket; 0 has the effect of 1.
    ///   - perSecond: tokens that the bucket regains per second; 0 has the effect of 1, and a number above
    ///     1,000,000,000 the effect of 1,000,000,000.
    package init(atOnce: UInt64, perSecond: UInt64) {
        self.init(atOnce: atOnce, nanosecondsEach: max(1_000_000_000 / max(perSecond, 1), 1))
    }

    /// Makes a bucket that regains less than one token a second.
    ///
    /// - Parameters:
    ///   - atOnce: capacity of the bucket; 0 has the effect of 1.
    ///   - interval: time in which the bucket regains one token; at least a nanosecond, at most a day.
    package init(atOnce: UInt64, interval: Duration) {
        let nanoseconds = min(max(interval, .nanoseconds(1)), .seconds(86_400)) / .nanoseconds(1)
        self.init(atOnce: atOnce, nanosecondsEach: UInt64(nanoseconds))
    }

    private init(atOnce: UInt64, nanosecondsEach: UInt64) {
        self.nanosecondsEach = nanosecondsEach
        let (all, overflow) = nanosecondsEach.multipliedReportingOverflow(by: max(atOnce, 1))
        nanosecondsAll = overflow ? .max : all
    }

    /// Takes one token if the bucket has one.
    ///
    /// - Returns: `nil` if the token was taken; otherwise the time until the bucket has one.
    package mutating func take(now: Instant) -> Duration? {
        let debt = debtAfterTaking(now)
        guard debt == .zero else { return debt }
        takeAnyway(now)
        return nil
    }

    /// Takes one token even if the bucket is empty. The number of tokens then becomes negative.
    ///
    /// - Returns: the time until the number of tokens is zero again; `.zero` if it did not become negative.
    package mutating func takeInAdvance(now: Instant) -> Duration {
        let debt = debtAfterTaking(now)
        takeAnyway(now)
        return debt
    }

    /// Whether the bucket has all its tokens, as a new one has.
    package func isFull(now: Instant) -> Bool { wholeAt <= now.nanoseconds }

    /// Puts back one token that was taken and not used.
    package mutating func giveBack() {
        wholeAt -= min(wholeAt, nanosecondsEach)
    }

    private mutating func takeAnyway(_ now: Instant) {
        let (moment, overflow) = max(wholeAt, now.nanoseconds).addingReportingOverflow(nanosecondsEach)
        wholeAt = overflow ? .max : moment
    }

    private func debtAfterTaking(_ now: Instant) -> Duration {
        let left = max(wholeAt, now.nanoseconds) - now.nanoseconds
        let (taken, overflow) = left.addingReportingOverflow(nanosecondsEach)
        guard !overflow, taken <= nanosecondsAll else {
            return .nanoseconds(Int64(clamping: (overflow ? .max : taken) - nanosecondsAll))
        }
        return .zero
    }
}
