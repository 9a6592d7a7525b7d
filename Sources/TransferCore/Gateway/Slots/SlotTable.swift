import TransferCommon
import WireProtocol

/// What the slots of one connection carry. A slot that is not in the table is closed. `SlotState` decides what each
/// frame does in a slot.
struct SlotTable: Hashable {
    /// A slot has one use at a time.
    private enum Use: Hashable {
        case session(SessionSlot)
        case prove(GatewayProve)
    }

    private var uses: [Slot: Use] = [:]

    var count: Int { uses.count }

    /// The state of a slot by the names of specification §6.1.
    func state(of slot: Slot) -> SlotState {
        switch uses[slot] {
        case .session(let use): use.stage.state
        case .prove: .proving
        case nil: .closed
        }
    }

    /// The slots, in order.
    var inUse: [Slot] { uses.keys.sorted { $0.value < $1.value } }

    /// The session in a slot; `nil` if the slot is closed or carries a PROVE.
    subscript(session slot: Slot) -> SessionSlot? {
        get {
            guard case .session(let use) = uses[slot] else { return nil }
            return use
        }
        set {
            if let newValue {
                uses[slot] = .session(newValue)
            } else if case .session = uses[slot] {
                uses[slot] = nil
            }
        }
    }

    /// The PROVE in a slot; `nil` if the slot is closed or carries a session.
    subscript(prove slot: Slot) -> GatewayProve? {
        get {
            guard case .prove(let prove) = uses[slot] else { return nil }
            return prove
        }
        set {
            if let newValue {
                uses[slot] = .prove(newValue)
            } else if case .prove = uses[slot] {
                uses[slot] = nil
            }
        }
    }
}

/// A slot that carries a session.
struct SessionSlot: Hashable {
    enum Stage: Hashable {
        case opening
        /// RESUME QUERY has arrived, and its list is still arriving. `asksForPartials`: whether the query asks for the
        /// gateway's partials.
        case listing(token: SessionToken, asksForPartials: Bool)
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
    var list = ListIntake()

    /// Whether the slot holds budget for a list, and only the agent can continue: by a page of the list, or by COMPLETE
    /// after it.
    var awaitsList: Bool {
        if case .listing = stage { return true }
        return stage == .open && !list.entries.isEmpty
    }
}
