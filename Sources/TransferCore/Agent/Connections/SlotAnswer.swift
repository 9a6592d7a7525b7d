package import WireProtocol

/// A frame of the gateway in a slot: one row of the second table of specification §6.1. `effect(in:)` is that table,
/// and a test compares it with the text cell by cell.
package enum SlotAnswer: String, CaseIterable, Sendable {
    case sessionOpened = "SESSION OPENED"
    case sessionExists = "SESSION EXISTS"
    case sessionRefused = "SESSION REFUSED"
    case sessionLeft = "SESSION LEFT"
    case partDecision = "PART DECISION"
    case received = "RECEIVED"
    case stored = "STORED"
    case resumeOngoing = "RESUME STATE ongoing"
    case resumeCompleting = "RESUME STATE completing"
    case resumeLost = "RESUME STATE lost"
    case partList = "PART LIST"
    case partsWanted = "PARTS WANTED"
    case completed = "COMPLETED"
    case aborted = "ABORTED"
    case proven = "PROVEN"
    case errorOfPart = "ERROR of part scope"
    case errorOfSession = "ERROR of session scope"

    /// What the agent does with a frame.
    package enum Effect: String, CaseIterable, Sendable {
        /// The slot is open now, or completing if COMPLETE of a one-part file was sent before SESSION OPENED came.
        case open
        /// The slot is completing.
        case complete
        /// The frame is about the session or a part of it and does not change the slot. One exception: COMPLETE of a
        /// one-part file is sent before the part is stored. If the part is then deferred or fails, the slot is open
        /// again.
        case take
        /// The slot is closed and may be used again at once.
        case close
        /// The gateway sent the frame before it knew the state of the slot, or the frame has no meaning in it.
        case ignore
    }

    /// - Returns: `nil` for a frame that a gateway never sends in a slot.
    package init?(_ frame: Frame) {
        switch frame {
        case .sessionOpened: self = .sessionOpened
        case .sessionExists: self = .sessionExists
        case .sessionRefused: self = .sessionRefused
        case .sessionLeft: self = .sessionLeft
        case .partDecision: self = .partDecision
        case .received: self = .received
        case .stored: self = .stored
        case .resumeState(let state):
            switch state.phase {
            case .ongoing: self = .resumeOngoing
            case .completing: self = .resumeCompleting
            case .lost: self = .resumeLost
            }
        case .partList: self = .partList
        case .partsWanted: self = .partsWanted
        case .completed: self = .completed
        case .aborted: self = .aborted
        case .proven: self = .proven
        case .error(let report):
            switch report.scope {
            case .part: self = .errorOfPart
            case .session: self = .errorOfSession
            case .connection: return nil
            }
        default: return nil
        }
    }

    /// What the agent does with the frame in a slot in this state.
    package func effect(in state: AgentSlotState) -> Effect {
        switch (self, state) {
        case (_, .closed): .ignore
        case (.sessionLeft, .leaving): .close
        case (.sessionLeft, _), (_, .leaving): .ignore
        case (.sessionOpened, .opening), (.resumeOngoing, .resuming): .open
        case (.resumeCompleting, .resuming): .complete
        case (.sessionOpened, _), (.resumeOngoing, _), (.resumeCompleting, _): .ignore
        case (.partsWanted, .completing): .open
        case (.partsWanted, _): .ignore
        // PART DECISION may arrive before the session is open: a gateway that can hold no more offers defers an offer
        // at once.
        case (.partDecision, .opening), (.partDecision, .resuming), (.partDecision, .open),
            (.partDecision, .completing):
            .take
        case (.received, .open), (.stored, .open), (.partList, .open), (.errorOfPart, .open): .take
        case (.received, .completing), (.stored, .completing), (.partList, .completing),
            (.errorOfPart, .completing):
            .take
        case (.partDecision, _), (.received, _), (.stored, _), (.partList, _), (.errorOfPart, _): .ignore
        case (.sessionExists, _), (.sessionRefused, _), (.resumeLost, _), (.completed, _), (.aborted, _), (.proven, _),
            (.errorOfSession, _):
            .close
        }
    }
}
