package import TransferCommon
package import WireProtocol

/// One connection of the agent: the wait before it connects, the attempt, and the connection until its end.
///
///     from        event                                        to
///     away        the wait is over, and there is work          connecting
///     connecting  the connection is established                greeting
///     greeting    WELCOME                                      open
///     open        GO AWAY                                      leaving
///
/// When a connection is lost, in whatever phase, `Agent.lose` replaces it by a new value with a new number. An event
/// that arrives late for the old connection therefore finds no connection, and is ignored.
package struct AgentConnection: Hashable, Sendable {
    /// The phases of one connection. Each phase owns the data that exists only in it.
    package enum Phase: Hashable, Sendable {
        /// The agent does not connect before this moment.
        case away(until: Instant)
        case connecting(deadline: Instant)
        /// HELLO was sent. `gateway`: what the gateway proved in the handshake; `nil` on plain TCP.
        case greeting(deadline: Instant, gateway: GatewayProof?)
        case open(OpenConnection)
        /// The gateway has sent GO AWAY: the agent finishes work on this connection and begins no new work on it.
        case leaving(OpenConnection, deadline: Instant)
    }

    package private(set) var phase: Phase
    /// Attempts in a row that failed before this one, for the back-off.
    package private(set) var failures: Int
    /// The network interface that the connection is bound to; `nil` before it connects, or for the system's routes.
    var interface: String?

    package init(awayUntil moment: Instant, failures: Int = 0) {
        self.phase = .away(until: moment)
        self.failures = failures
    }

    // MARK: Events

    /// Begins to connect if the wait is over, and returns whether the shell is to connect now.
    package mutating func connectIfDue(within limit: Duration, now: Instant) -> Bool {
        guard case .away(let until) = phase, until <= now else { return false }
        phase = .connecting(deadline: now + limit)
        return true
    }

    /// Expects WELCOME on a connection that is established; returns whether HELLO is to be sent.
    package mutating func established(by gateway: GatewayProof?, within limit: Duration, now: Instant) -> Bool {
        guard case .connecting = phase else { return false }
        phase = .greeting(deadline: now + limit, gateway: gateway)
        return true
    }

    /// Opens the connection with the WELCOME that has been read; returns `false` if WELCOME is not due.
    package mutating func welcomed(_ welcome: Welcome, now: Instant) -> Bool {
        guard case .greeting(_, let gateway) = phase else { return false }
        phase = .open(OpenConnection(welcome, gateway: gateway, now: now))
        failures = 0
        return true
    }

    /// Begins to leave a connection after GO AWAY; returns whether another connection is needed.
    package mutating func toldToLeave(until deadline: Instant) -> Bool {
        guard case .open(let open) = phase else { return false }
        phase = .leaving(open, deadline: deadline)
        return true
    }

    /// Notes that a frame has arrived, which shows that the gateway is alive.
    package mutating func heard(now: Instant) { withOpen { $0.liveness.heard(now: now) } }

    /// Checks the deadlines and whether the gateway is alive. Called at `nextDeadline`, or at any time.
    package mutating func tick(now: Instant) -> PeerLiveness.OnTick {
        switch phase {
        case .connecting(let deadline), .greeting(let deadline, _), .leaving(_, let deadline):
            if deadline <= now { return .close }
        case .away, .open: break
        }
        return withOpen { $0.liveness.tick(idleLimit: $0.idleLimit, now: now) } ?? .wait
    }

    /// When `tick` has something to do, or the agent may connect; `nil` if it may connect at once.
    package func nextDeadline(now: Instant) -> Instant? {
        switch phase {
        case .away(let until): until > now ? until : nil
        case .connecting(let deadline), .greeting(let deadline, _): deadline
        case .open(let open): open.liveness.nextDeadline(idleLimit: open.idleLimit)
        case .leaving(let open, let deadline):
            open.liveness.nextDeadline(idleLimit: open.idleLimit).map { min($0, deadline) } ?? deadline
        }
    }

    // MARK: Read-outs

    /// The interface for which `InterfacePlan` counts this connection; `nil` if it does not count the connection.
    var interfaceInUse: String? {
        switch phase {
        case .connecting, .greeting, .open: interface
        case .away, .leaving: nil
        }
    }

    /// The data of an open connection; `nil` before WELCOME.
    var opened: OpenConnection? {
        switch phase {
        case .open(let open), .leaving(let open, _): open
        case .away, .connecting, .greeting: nil
        }
    }

    /// Whether WELCOME has come. Unlike `opened`, this copies nothing.
    var isWelcomed: Bool {
        switch phase {
        case .open, .leaving: true
        case .away, .connecting, .greeting: false
        }
    }

    package var welcome: Welcome? { opened?.welcome }

    /// What the gateway proved in the handshake; `nil` on plain TCP, or before the handshake.
    var gateway: GatewayProof? {
        switch phase {
        case .greeting(_, let gateway): gateway
        case .open(let open), .leaving(let open, _): open.gateway
        case .away, .connecting: nil
        }
    }

    /// Whether sessions may be opened or resumed on the connection.
    package var isOpen: Bool {
        if case .open = phase { true } else { false }
    }

    /// Whether the connection is open and its gateway answers.
    package func isHeard(now: Instant) -> Bool {
        // After GO AWAY, the gateway still sends the answers that it owes on this connection.
        opened.map { $0.liveness.isHeard(idleLimit: $0.idleLimit, now: now) } ?? false
    }

    /// Whether the agent is connecting and the attempt before did not fail: the connection is likely to open soon.
    var isComing: Bool {
        switch phase {
        case .connecting, .greeting: failures == 0
        case .away, .open, .leaving: false
        }
    }

    /// Whether a session could be opened or resumed on the connection.
    var hasFreeSlot: Bool {
        if case .open(let open) = phase { open.hasFreeSlot } else { false }
    }

    var usedSlotCount: Int { opened?.slots.usedCount ?? 0 }

    /// Whether chunks of a part wait for the socket.
    func hasQueued(_ part: UploadPart) -> Bool { opened?.chunks.contains(part) ?? false }

    // MARK: The open connection

    /// Changes the data of an open connection in place. Before WELCOME, returns `nil` and changes nothing.
    @discardableResult
    mutating func withOpen<Result>(_ body: (inout OpenConnection) -> Result) -> Result? {
        // The phase is moved out during the change: if two values referred to the tables, each change would copy them.
        var taken = Phase.away(until: Instant(nanoseconds: 0))
        swap(&taken, &phase)
        switch consume taken {
        case .open(var open):
            let result = body(&open)
            phase = .open(open)
            return result
        case .leaving(var open, let deadline):
            let result = body(&open)
            phase = .leaving(open, deadline: deadline)
            return result
        case let other:
            phase = other
            return nil
        }
    }

    mutating func takeSlot(for upload: UploadID) -> Slot? { withOpen { $0.takeSlot(for: upload) } ?? nil }

    /// Adds a part to those that take turns on this connection.
    mutating func add(_ part: UploadPart) { withOpen { $0.turns.add(part) } }

    mutating func remove(_ part: UploadPart) { withOpen { $0.turns.remove(part) } }

    mutating func returnCredit(_ bytes: UInt64) { withOpen { $0.turns.returnCredit(bytes) } }
}
