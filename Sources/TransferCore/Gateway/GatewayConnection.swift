import TransferCommon
import WireProtocol

/// One connection as the gateway sees it: who is at its other end, and what its slots carry.
struct GatewayConnection: Hashable {
    enum Phase: Hashable {
        /// Nothing was said yet; closed at the deadline.
        case silent(deadline: Instant)
        /// An invitation is being looked at; closed at the deadline.
        case enrolling(deadline: Instant)
        case open(device: AuthorisedDevice, run: RunID)
    }

    var phase: Phase
    var slots = SlotTable()
    /// What HELLO and WELCOME agree on.
    var capabilities: Capabilities = []
    /// The initial credit that was granted, and is reserved.
    var creditBytes: UInt32 = 0
    /// Counts from the first byte of the connection; judged once the connection is open.
    var liveness: PeerLiveness
    /// Bytes that have arrived, and had when progress was judged last.
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
