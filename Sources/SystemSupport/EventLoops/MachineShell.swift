package import NIOCore
package import TransferCommon

/// An actor on one event loop that performs what a machine decides.
///
/// A shell hands each event to its machine and then calls `perform()`. That performs the machine's actions in order,
/// writes the frames, and sets the timer to the machine's next deadline. A shell decides nothing itself.
package protocol MachineShell: Actor {
    associatedtype Action
    /// The type that identifies a connection.
    associatedtype ID: Hashable & Sendable

    nonisolated var eventLoop: any EventLoop { get }
    var state: ShellState<ID> { get set }

    /// Removes and returns the actions that the machine has decided on.
    func takeActions() -> [Action]
    func perform(_ action: Action)
    /// Called with the number of bytes of each round of frames.
    func framesWritten(bytes: UInt64)
    /// Called when all actions are performed.
    func actionsPerformed()

    var nextDeadline: Instant? { get }
    /// Hands the time to the machine.
    func tick()
}

/// The state that every shell holds.
package struct ShellState<ID: Hashable & Sendable> {
    package var frames = OutboundFrames<ID>()
    package let clock = MonotonicClock()
    fileprivate var timer = DeadlineTimer()
    fileprivate var isPerforming = false

    package init() {}
}

extension MachineShell {
    package var now: Instant { state.clock.now }

    /// Performs the machine's actions in order.
    ///
    /// Closing or writing may cause new events, whose handling calls `perform` again from inside this call. The inner
    /// call returns at once, and the outer call performs the actions of the new events, so that they cannot overtake
    /// earlier actions.
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

    /// Writes the waiting frames of all connections, each in one write.
    package func writeFrames() {
        let writes = state.frames.takeWrites()
        guard !writes.isEmpty else { return }
        framesWritten(bytes: writes.reduce(0) { $0 + UInt64($1.bytes.readableBytes) })
        for (channel, bytes) in writes { channel.writeAndFlush(bytes, promise: nil) }
    }

    /// Writes the waiting frames of one connection and then closes it.
    package func closeConnection(_ id: ID) {
        guard let (channel, bytes) = state.frames.takeLast(of: id) else { return }
        channel.writeAndFlush(bytes).whenComplete { _ in channel.close(promise: nil) }
    }

    private func armTimer() {
        state.timer.arm(for: nextDeadline, now: now, on: eventLoop) { [weak self] in
            self?.assumeIsolated { $0.timerFired() }
        }
    }

    private func timerFired() {
        state.timer.fired()
        tick()
        perform()
    }

    /// Cancels the timer when the shell ends.
    package func stopTimer() {
        state.timer.cancel()
    }
}
