import TransferCommon
import WireProtocol

/// One connection: the device at its other end, its slots, its credit and its liveness.
struct GatewayConnection: Hashable {
    enum Phase: Hashable {
        /// The peer has sent no frame; the gateway closes the connection at the deadline.
        case silent(deadline: Instant)
        /// The shell is looking up an invitation; the gateway closes the connection at the deadline.
        case enrolling(deadline: Instant)
        case open(device: AuthorisedDevice, run: RunID)
    }

    var phase: Phase
    var slots = SlotTable()
    /// What HELLO and WELCOME agree on.
    var capabilities: Capabilities = []
    /// The initial credit that WELCOME grants; reserved in the budget.
    var creditBytes: UInt32 = 0
    /// Counts from the first byte of the connection; judged once the connection is open.
    var liveness: PeerLiveness
    /// All bytes that have arrived, and those of them that had arrived at the end of the last window of progress.
    var heardBytes: UInt64 = 0
    var heardBytesMark: UInt64 = 0

    init(now: Instant, limits: GatewayLimits) {
        self.phase = .silent(deadline: now + limits.helloLimit)
        self.liveness = PeerLiveness(now: now)
    }

    var device: AuthorisedDevice? {
        guard case .open(let device, _) = phase else { return nil }
        return device
    }

    var run: RunID? {
        guard case .open(_, let run) = phase else { return nil }
        return run
    }
}
