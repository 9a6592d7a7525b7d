/// A moment on a monotonic clock, in nanoseconds from an origin that only the shell knows.
///
/// The machines never read a clock: each event carries the time. An instant is not a date and does not depend on a
/// clock that people can set.
package struct Instant: Hashable, Comparable, Sendable {
    package let nanoseconds: UInt64

    package init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    package static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// The result is limited to the range of the clock. So a delay that is too long for the clock never ends.
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
    /// Whole milliseconds, clamped to the range of a frame field.
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
