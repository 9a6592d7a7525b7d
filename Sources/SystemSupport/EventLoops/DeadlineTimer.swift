package import NIOCore
package import TransferCommon

/// The single timer of a shell, set to the next deadline of its machine.
///
/// A machine's deadline usually moves to a later time with every event. The timer stays set to the earlier time then,
/// and the shell sets it again when it has fired: one timer too many costs less than cancelling one for each event.
package struct DeadlineTimer {
    private enum State {
        case idle
        case armed(at: Instant, Scheduled<Void>)
    }

    private var state = State.idle

    /// Shortest delay. A machine whose deadline has passed already gets the event loop to itself otherwise.
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
        // A deadline further away than this is looked at again in between.
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
