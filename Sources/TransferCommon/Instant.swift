/// A moment on a monotonic clock, in nanoseconds from a beginning that only the shell knows.
///
/// The machines never ask for the time: it is handed in with every event. Nothing here is a date, and nothing here
/// depends on a clock that people set.
package struct Instant: Hashable, Comparable, Sendable {
    package let nanoseconds: UInt64

    package init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    package static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// Saturates at both ends: a delay without end stays one.
    package static func + (left: Instant, right: Duration) -> Instant {
        let (seconds, attoseconds) = right.components
        guard seconds >= 0, attoseconds >= 0 else { return left }
        let (scaled, tooLong) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let (later, overflow) = scaled.addingReportingOverflow(UInt64(attoseconds / 1_000_000_000))
        let (sum, beyond) = left.nanoseconds.addingReportingOverflow(later)
        return tooLong || overflow || beyond ? Instant(nanoseconds: .max) : Instant(nanoseconds: sum)
    }

    /// How long ago `earlier` was; zero where it lies ahead.
    package func since(_ earlier: Instant) -> Duration {
        guard nanoseconds > earlier.nanoseconds else { return .zero }
        return .nanoseconds(Int64(clamping: nanoseconds - earlier.nanoseconds))
    }
}

extension Duration {
    /// Whole milliseconds, within what the wire can say.
    package var wireMilliseconds: UInt32 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000)
        guard !overflow else { return .max }
        return UInt32(clamping: scaled.addingReportingOverflow(attoseconds / 1_000_000_000_000_000).partialValue)
    }

    /// The duration in seconds, for rates and for people.
    package var inSeconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) / 1e18
    }
}
