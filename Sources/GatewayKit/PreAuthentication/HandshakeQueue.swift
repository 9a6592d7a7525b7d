import NIOCore
import SystemSupport
import TransferCommon

/// Lets peers begin their handshakes when `HandshakeBudget` allows it. All connections of the gateway share one queue,
/// on their event loop.
actor HandshakeQueue {
    /// Whether a peer may begin its handshake.
    enum OnArrival: Sendable {
        case begin
        /// The peer has to wait. The future succeeds when it may begin.
        case wait(HandshakeBudget.Ticket, EventLoopFuture<Void>)
    }

    nonisolated let eventLoop: any EventLoop
    private var budget: HandshakeBudget
    private var waiting: [HandshakeBudget.Ticket: EventLoopPromise<Void>] = [:]
    private let clock = MonotonicClock()
    private var timer = DeadlineTimer()

    nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

    init(limits: HandshakeBudget.Limits, eventLoop: any EventLoop) {
        self.budget = HandshakeBudget(limits)
        self.eventLoop = eventLoop
    }

    /// Decides whether a peer that has sent the beginning of a handshake may continue, or waits.
    ///
    /// - Parameter isOfThisMachine: whether the peer is a process of the gateway's own machine.
    func arrived(from address: SocketAddress?, isOfThisMachine: Bool) -> OnArrival {
        let owner = PreAuthenticationLimiter.address(of: address)
        // The limit of one address does not apply to peers on this machine: a tunnel or a proxy here brings many
        // devices from one address. The limit would not stop a hostile process on this machine, which can use up the
        // processor without any handshake.
        let decision = budget.arrived(from: owner, isLimited: !isOfThisMachine, now: clock.now)
        guard case .wait(let ticket) = decision else { return .begin }
        let promise = eventLoop.makePromise(of: Void.self)
        waiting[ticket] = promise
        armTimer()
        return .wait(ticket, promise.futureResult)
    }

    /// Removes a waiting peer that is gone. Safe to repeat.
    func left(_ ticket: HandshakeBudget.Ticket) {
        budget.left(ticket)
        waiting.removeValue(forKey: ticket)?.fail(ChannelError.ioOnClosedChannel)
    }

    private func armTimer() {
        timer.arm(for: budget.nextDeadline, now: clock.now, on: eventLoop) { [weak self] in
            self?.assumeIsolated { $0.timerFired() }
        }
    }

    private func timerFired() {
        timer.fired()
        for ticket in budget.takeDue(now: clock.now) { waiting.removeValue(forKey: ticket)?.succeed() }
        armTimer()
    }

    /// Ends the queue: peers that wait will not begin.
    func finish() {
        timer.cancel()
        for promise in waiting.values { promise.fail(ChannelError.ioOnClosedChannel) }
        waiting = [:]
    }
}
