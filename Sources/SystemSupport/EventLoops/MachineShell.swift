package import NIOCore
package import TransferCommon

/// A *shell*: an actor on one event loop that performs what a state machine decides.
///
/// A shell passes each event to its machine and then calls `perform()`. This method performs the machine's actions in
/// order, writes the frames, and sets the timer to the machine's next deadline. The shell itself decides nothing.
package protocol MachineShell: Actor {
    associatedtype Action
    /// The type of the number that identifies a connection.
    associatedtype ID: Hashable & Sendable

    nonisolated var eventLoop: any EventLoop { get }
    var state: ShellState<ID> { get set }

    /// Removes and returns the actions that the machine has decided on.
    func takeActions() -> [Action]
    func perform(_ action: Action)
    /// Counts the bytes of the frames that one round of writing has sent.
    func framesWritten(bytes: UInt64)
    /// Passes the number to the machine and then calls `perform`. Called when a socket has taken the frames for which
    /// `OutboundFrames.reportWritten` has requested a report.
    func socketTook(_ number: UInt64, of id: ID)
    /// Does what has to wait until all actions of the machine have been performed.
    func actionsPerformed()

    var nextDeadline: Instant? { get }
    /// Passes the time to the machine, because the timer has fired.
    func tick()
}

/// The state that every shell needs: frames to be sent, clock and timer.
package struct ShellState<ID: Hashable & Sendable> {
    package var frames = OutboundFrames<ID>()
    package let clock = MonotonicClock()
    fileprivate var timer = DeadlineTimer()
    fileprivate var isPerforming = false

    package init() {}
}

extension MachineShell {
    package var now: Instant { state.clock.now }

    /// Does nothing. The default is for shells that do not count their bytes.
    package func framesWritten(bytes: UInt64) {}

    /// Does nothing. The default is for shells that request no reports.
    package func socketTook(_ number: UInt64, of id: ID) {}

    /// Performs the machine's actions in order.
    ///
    /// Closing a channel or writing to it may cause new events immediately, so that this method is called again while
    /// it is running. The inner call returns at once, and the running call performs the new actions, too. So the new
    /// actions cannot overtake earlier ones.
    package func perform() {
        guard !state.isPerforming else { return }
        state.isPerforming = true
        var actions = takeActions()
        while !actions.isEmpty {
            for action in actions { perform(action) }
            writeFrames()
            actions = takeActions()
        }
        state.isPerforming = false
        actionsPerformed()
        armTimer()
    }

    /// Writes the waiting frames of all connections, with one write for each connection.
    package func writeFrames() {
        let writes = state.frames.takeWrites()
        guard !writes.isEmpty else { return }
        framesWritten(bytes: writes.reduce(0) { $0 + UInt64($1.bytes.readableBytes) })
        for write in writes {
            guard let number = write.report else {
                write.channel.writeAndFlush(write.bytes, promise: nil)
                continue
            }
            // A failed write needs no report: the connection then ends, and the machine learns of that.
            write.channel.writeAndFlush(write.bytes).whenSuccess { [weak self, id = write.id] in
                self?.assumeIsolated { $0.socketTook(number, of: id) }
            }
        }
    }

    /// Writes the waiting frames of one connection and then closes it.
    ///
    /// If the peer does not read the frames within 5 seconds, closes the connection all the same: the machine has
    /// forgotten the connection, so no other time limit ends it. During the close, TLS still sends the waiting bytes
    /// while the peer reads.
    package func closeConnection(_ id: ID) {
        guard let last = state.frames.takeLast(of: id) else { return }
        let channel = last.channel
        let limit = channel.eventLoop.scheduleTask(in: .seconds(5)) { channel.close(promise: nil) }
        channel.writeAndFlush(last.bytes).whenComplete { _ in
            limit.cancel()
            channel.close(promise: nil)
        }
    }

    private func armTimer() {
        // Most events leave the timer as it is. Check this first, because the closure below allocates memory.
        guard let deadline = nextDeadline, state.timer.isLate(for: deadline) else { return }
        state.timer.arm(for: deadline, now: now, on: eventLoop) { [weak self] in
            self?.assumeIsolated { $0.timerFired() }
        }
    }

    private func timerFired() {
        state.timer.fired()
        tick()
        perform()
    }

    /// Cancels the timer. The shell calls this when it ends.
    package func stopTimer() {
        state.timer.cancel()
    }
}
