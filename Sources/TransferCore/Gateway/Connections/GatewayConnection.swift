package import TransferCommon
package import WireProtocol

/// One connection: the device at its other end, its credit and its liveness (specification §5). `SlotTable` has its
/// slots.
///
///     from       event                                                 to
///     silent     HELLO is accepted                                     open
///     silent     ENROL                                                 enrolling
///     silent     the deadline; HELLO is refused; any other frame       closed
///     enrolling  the invitation is answered; the deadline; a frame     closed
///     open       the peer is lost; a violation; the gateway ends it    closed
///
/// The gateway removes a connection when it closes it, so `closed` is no phase.
package struct GatewayConnection: Hashable {
    /// The phases of one connection, as the table in the comment on `GatewayConnection` lists them.
    package enum Phase: Hashable {
        /// The peer has sent no frame; the gateway closes the connection at the deadline.
        case silent(deadline: Instant)
        /// The shell is looking up an invitation; the gateway closes the connection at the deadline.
        case enrolling(deadline: Instant)
        case open(device: AuthorisedDevice)
    }

    /// What the gateway does after a tick.
    package enum OnTick: Hashable {
        case wait
        case sendPing
        /// End the connection as idle; the text says why.
        case close(String)
    }

    package private(set) var phase: Phase
    private var capabilities: Capabilities = []
    /// The initial credit that WELCOME grants; reserved in the budget.
    private(set) var creditBytes: UInt32 = 0
    /// Notes every arrival from the beginning, but judges the peer only while the connection is open.
    private var liveness: PeerLiveness
    /// Bytes that have arrived since the end of the last window of progress (`ProgressCheck`).
    private var heardBytes: UInt64 = 0

    /// A connection that the shell has just accepted.
    package init(now: Instant, helloLimit: Duration) {
        self.phase = .silent(deadline: now + helloLimit)
        self.liveness = PeerLiveness(now: now)
    }

    /// The device at the other end; `nil` until HELLO is accepted.
    var device: AuthorisedDevice? {
        guard case .open(let device) = phase else { return nil }
        return device
    }

    // MARK: Events

    /// Opens the connection, because HELLO is accepted.
    package mutating func opened(
        by device: AuthorisedDevice, capabilities: Capabilities, creditBytes: UInt32
    ) {
        phase = .open(device: device)
        self.capabilities = capabilities
        self.creditBytes = creditBytes
    }

    /// Keeps the peer waiting until the shell has looked up the invitation in ENROL.
    package mutating func enrols(until deadline: Instant) {
        phase = .enrolling(deadline: deadline)
    }

    /// Notes that bytes of any kind have arrived, so the peer is alive.
    package mutating func heard(bytes: UInt64 = 0, now: Instant) {
        liveness.heard(now: now)
        heardBytes &+= bytes
    }

    /// Takes the number of bytes that have arrived since the last window of progress.
    mutating func takeHeardBytes() -> UInt64 {
        defer { heardBytes = 0 }
        return heardBytes
    }

    /// Checks PART DATA against limits and capabilities of the connection; slot and session check the rest.
    func judge(_ header: PartDataHeader, slot: Slot, _ limits: GatewayLimits) -> Violation? {
        guard case .open = phase else {
            return Violation(code: .unexpectedFrame, message: "PART DATA before WELCOME")
        }
        guard slot.value <= limits.slotsMax else {
            return Violation(code: .badSlot, message: "slot \(slot), at most \(limits.slotsMax)")
        }
        guard header.plainBytes <= limits.chunkBytesMax else {
            let message = "PART DATA of \(header.plainBytes) plain bytes, at most \(limits.chunkBytesMax)"
            return Violation(code: .badValue, message: message)
        }
        if header.isCompressed, !capabilities.contains(.lz4) {
            let message = "PART DATA in LZ4, which HELLO and WELCOME do not agree on"
            return Violation(code: .badCompression, message: message)
        }
        return nil
    }

    // MARK: Time

    /// Checks the deadline or the liveness of the peer. Called at `nextDeadline`, or at any time.
    package mutating func tick(idleLimit: Duration, now: Instant) -> OnTick {
        switch phase {
        case .silent(let deadline), .enrolling(let deadline):
            return deadline <= now ? .close("no HELLO in time") : .wait
        case .open:
            switch liveness.tick(idleLimit: idleLimit, now: now) {
            case .wait: return .wait
            case .sendPing: return .sendPing
            case .close: return .close("nothing was heard for the idle limit")
            }
        }
    }

    /// When `tick` has something to do; `nil` once the peer is lost.
    package func nextDeadline(idleLimit: Duration) -> Instant? {
        switch phase {
        case .silent(let deadline), .enrolling(let deadline): deadline
        case .open: liveness.nextDeadline(idleLimit: idleLimit)
        }
    }
}
