package import NIOCore
package import TransferCommon

/// The single timer of a shell, set to the next deadline of its machine.
///
/// A machine's deadline usually moves to a later time with every event. In that case the timer stays set to the earlier
/// time, and the shell sets it again when it has fired. A timer that fires too early costs less than cancelling a timer
/// at each event.
package struct DeadlineTimer {
    private enum State {
        case idle
        case armed(at: Instant, Scheduled<Void>)
    }

    private var state = State.idle

    /// Shortest delay. Without it, a machine whose deadline has always passed already would keep the event loop busy
    /// without end.
    private static let delayMin = Duration.milliseconds(1)

    package init() {}

    /// Makes the timer fire at `deadline` or earlier. Leaves the timer as it is if `deadline` is `nil`.
    ///
    /// - Parameter fire: called on the event loop. It must call `fired` and then `arm`.
    package mutating func arm(
        for deadline: Instant?, now: Instant, on eventLoop: any EventLoop, fire: @escaping @Sendable () -> Void
    ) {
        guard let deadline else { return }
        if case .armed(let at, let scheduled) = state {
            if at <= deadline { return }
            scheduled.cancel()
        }
        // The timer runs for at most a day. For a later deadline, it fires in between and is set again.
        let delay = min(max(deadline.since(now), Self.delayMin), .seconds(86_400))
        state = .armed(at: now + delay, eventLoop.scheduleTask(in: TimeAmount(delay), fire))
    }

    /// The timer has fired, and is no longer set.
    package mutating func fired() {
        state = .idle
    }

    /// Cancels the timer, if it is set.
    package mutating func cancel() {
        if case .armed(_, let scheduled) = state { scheduled.cancel() }
        state = .idle
    }
}
