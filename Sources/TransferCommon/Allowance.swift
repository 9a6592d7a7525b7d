/// Token bucket: burst `atOnce`, refill `perSecond`.
package struct Allowance: Equatable, Sendable {
    /// How long one takes to grow back, and all of them.
    private let nanosecondsEach: UInt64
    private let nanosecondsAll: UInt64
    /// When all that was taken will have grown back.
    private var wholeAt: UInt64 = 0

    /// Both are taken for at least 1; a rate beyond a thousand million a second is that.
    package init(atOnce: UInt64, perSecond: UInt64) {
        nanosecondsEach = max(1_000_000_000 / max(perSecond, 1), 1)
        let (all, overflow) = nanosecondsEach.multipliedReportingOverflow(by: max(atOnce, 1))
        nanosecondsAll = overflow ? .max : all
    }

    /// Takes one if there is one.
    ///
    /// - Returns: `nil` where one was taken, else how long it takes until there is one.
    package mutating func take(now: Instant) -> Duration? {
        let debt = debtAfterTaking(now)
        guard debt == .zero else { return debt }
        takeAnyway(now)
        return nil
    }

    /// Takes one whether or not there is one.
    ///
    /// - Returns: how long it takes until none is owed.
    package mutating func takeInAdvance(now: Instant) -> Duration {
        let debt = debtAfterTaking(now)
        takeAnyway(now)
        return debt
    }

    /// One that was taken shall not have counted.
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
