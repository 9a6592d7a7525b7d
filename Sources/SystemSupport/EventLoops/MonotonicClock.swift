package import TransferCommon

/// Measures the time since the clock was made. If the system's time is set, this clock does not change.
package struct MonotonicClock: Sendable {
    private let start = ContinuousClock.now

    package init() {}

    package var now: Instant { Instant(nanoseconds: 0) + start.duration(to: .now) }
}
