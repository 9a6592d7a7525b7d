/// A moment on a monotonic clock, in nanoseconds from an origin that the shell (the code that reads the clock) has
/// chosen.
///
/// State machines never read a clock: each event comes with the present time. An instant is not a date and does not
/// depend on a clock that people can set.
package struct Instant: Hashable, Comparable, Sendable {
    package let nanoseconds: UInt64

    package init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    package static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// A negative duration counts as zero. If the sum is too large, the result is the last moment of the clock, which
    /// never comes.
    package static func + (left: Instant, right: Duration) -> Instant {
        let (seconds, attoseconds) = right.components
        guard seconds >= 0, attoseconds >= 0 else { return left }
        let (scaled, tooLong) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let (later, overflow) = scaled.addingReportingOverflow(UInt64(attoseconds / 1_000_000_000))
        let (sum, beyond) = left.nanoseconds.addingReportingOverflow(later)
        return tooLong || overflow || beyond ? Instant(nanoseconds: .max) : Instant(nanoseconds: sum)
    }

    /// Time since `earlier`; zero if `earlier` lies in the future.
    package func since(_ earlier: Instant) -> Duration {
        guard nanoseconds > earlier.nanoseconds else { return .zero }
        return .nanoseconds(Int64(clamping: nanoseconds - earlier.nanoseconds))
    }
}

extension Duration {
    /// The duration in whole milliseconds for a frame field, limited to the range of the field.
    package var wireMilliseconds: UInt32 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000)
        guard !overflow else { return .max }
        return UInt32(clamping: scaled.addingReportingOverflow(attoseconds / 1_000_000_000_000_000).partialValue)
    }

    /// The duration in seconds, for computing rates and for display.
    package var inSeconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) / 1e18
    }
}
