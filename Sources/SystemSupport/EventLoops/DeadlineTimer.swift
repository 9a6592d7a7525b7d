package import NIOCore
package import TransferCommon

/// The single timer of a shell. It is set to the next deadline of the shell's state machine.
///
/// A machine's deadline usually moves to a later time with every event. The timer then stays set to the earlier time,
/// and when it has fired, the shell sets it again. A timer that fires too early costs less than cancelling and setting
/// a timer for each event.
package struct DeadlineTimer {
    private enum State {
        case idle
        case armed(at: Instant, Scheduled<Void>)
    }

    private var state = State.idle

    /// Shortest delay of the timer. Without it, a machine that always names a deadline in the past would keep the event
    /// loop busy with nothing but this timer.
    private static let delayMin = Duration.milliseconds(1)

    package init() {}

    /// Whether the timer would fire after `deadline`, or is not set.
    package func isLate(for deadline: Instant) -> Bool {
        switch state {
        case .idle: true
        case .armed(let at, _): at > deadline
        }
    }

    /// Makes the timer fire at `deadline` or earlier. Leaves the timer as it is if `deadline` is `nil`.
    ///
    /// - Parameter fire: called on the event loop. It must call `fired` and then `arm`.
    package mutating func arm(
        for deadline: Instant?, now: Instant, on eventLoop: any EventLoop, fire: @escaping @Sendable () -> Void
    ) {
        guard let deadline, isLate(for: deadline) else { return }
        cancel()
        // For a deadline more than a day away, the timer fires after a day and is then set again.
        let delay = min(max(deadline.since(now), Self.delayMin), .seconds(86_400))
        // If the deadline has passed, the state holds the deadline and not the time at which the timer fires, which is
        // later. Otherwise the timer would seem late to each event, and a busy shell would set it again and again
        // without ever seeing it fire.
        state = .armed(at: min(deadline, now + delay), eventLoop.scheduleTask(in: TimeAmount(delay), fire))
    }

    /// Records that the timer has fired and is therefore not set any more.
    package mutating func fired() {
        state = .idle
    }

    /// Cancels the timer, if it is set.
    package mutating func cancel() {
        if case .armed(_, let scheduled) = state { scheduled.cancel() }
        state = .idle
    }
}
