package import TransferCommon

/// Measures the time since the clock was made. Setting the time of the machine does not change it.
package struct MonotonicClock: Sendable {
    private let start = ContinuousClock.now

    package init() {}

    package var now: Instant { Instant(nanoseconds: 0) + start.duration(to: .now) }
}
