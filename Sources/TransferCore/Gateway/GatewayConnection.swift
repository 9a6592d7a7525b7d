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

    /// What a slot carries. A slot that is not there is closed.
    struct SlotUse: Hashable {
        enum Stage: Hashable {
            case opening
            /// RESUME QUERY has arrived, and its list is still arriving.
            case listing(token: SessionToken)
            case resuming
            case open
            case completing
            case aborting

            var state: SlotState {
                switch self {
                case .opening: .opening
                case .listing: .listing
                case .resuming: .resuming
                case .open: .open
                case .completing: .completing
                case .aborting: .aborting
                }
            }
        }

        var session: SessionID
        var stage: Stage
        /// RESUME QUERY wants the gateway's partials named.
        var asksForPartials = false
        var list = ListIntake()
    }

    var phase: Phase
    var slots: [Slot: SlotUse] = [:]
    /// The slots whose use is a PROVE.
    var proves: [Slot: GatewayProve] = [:]
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

    func state(of slot: Slot) -> SlotState {
        slots[slot]?.stage.state ?? (proves[slot] == nil ? .closed : .proving)
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
