package import TransferCommon

/// Measures the time since the clock was made. Setting the system's time does not change this clock.
package struct MonotonicClock: Sendable {
    private let start = ContinuousClock.now

    package init() {}

    package var now: Instant { Instant(nanoseconds: 0) + start.duration(to: .now) }
}
