import WireProtocol

/// The state of a slot as the gateway sees it, and what the gateway does with each frame in this state (specification
/// §6.1). `effect(of:)` is the only copy of this table in the code; a test compares it with the specification.
package enum SlotState: String, CaseIterable, Sendable {
    /// The slot has no use.
    case closed
    /// SESSION OPEN has arrived and is not answered.
    case opening
    /// RESUME QUERY has arrived, and PART LIST pages that it announced are missing.
    case listing
    /// RESUME QUERY and its list have arrived and are not answered.
    case resuming
    /// Parts may be offered and sent.
    case open
    /// COMPLETE has arrived and has no outcome yet.
    case completing
    /// ABORT has arrived and is not answered.
    case aborting
    /// PROVE has arrived and is not answered.
    case proving

    /// A frame that an agent sends in a slot, by its name in the specification.
    package enum Frame: String, CaseIterable, Sendable {
        case sessionOpen = "SESSION OPEN"
        case resumeQuery = "RESUME QUERY"
        case abort = "ABORT"
        case prove = "PROVE"
        case sessionLeave = "SESSION LEAVE"
        case partOffer = "PART OFFER"
        case partData = "PART DATA"
        case partList = "PART LIST"
        case complete = "COMPLETE"
        /// An ERROR of part or session scope.
        case error = "ERROR"
    }

    /// What the gateway does with a frame.
    package enum Effect: String, CaseIterable, Sendable {
        /// The frame begins a use of the slot.
        case begin
        /// The gateway acts on the frame.
        case take
        /// The gateway acts on the frame at once or, if the session is not open yet, as soon as it is open.
        case hold
        /// The gateway checks the frame now, and acts on it as soon as the session is open.
        case judge
        /// The gateway sends SESSION LEFT and closes the slot.
        case leave
        /// The gateway skips the frame without an answer.
        case discard
        /// The gateway sends ERROR of connection scope and ends the connection.
        case unexpectedFrame = "unexpected_frame"
    }

    /// One cell of the table: the column is the state, the row the frame.
    package func effect(of frame: Frame) -> Effect {
        switch (frame, self) {
        case (.sessionLeave, _): .leave
        case (.error, _): .discard
        case (.sessionOpen, .closed), (.resumeQuery, .closed), (.abort, .closed), (.prove, .closed): .begin
        case (.sessionOpen, _), (.resumeQuery, _), (.abort, _), (.prove, _): .unexpectedFrame
        case (_, .closed): .discard
        case (_, .listing) where frame == .partList: .take
        case (_, .listing), (_, .aborting), (_, .proving): .unexpectedFrame
        case (.partOffer, .open), (.partData, .open), (.partList, .open): .take
        case (.partOffer, _), (.partData, _): .hold
        case (.partList, .opening), (.partList, .resuming): .unexpectedFrame
        case (.complete, .opening), (.complete, .resuming), (.complete, .open): .judge
        case (.partList, .completing), (.complete, .completing): .discard
        }
    }

    /// The message of the ERROR that answers a frame which has no meaning in this state.
    func objection(to frame: Frame, in slot: Slot) -> String {
        "\(frame.rawValue) has no meaning in slot \(slot), which is \(rawValue)"
    }
}

extension SlotState.Frame {
    /// `nil` for a frame that no agent sends in a slot.
    init?(_ frame: WireProtocol.Frame) {
        switch frame {
        case .sessionOpen: self = .sessionOpen
        case .resumeQuery: self = .resumeQuery
        case .abort: self = .abort
        case .prove: self = .prove
        case .sessionLeave: self = .sessionLeave
        case .partOffer: self = .partOffer
        case .partList: self = .partList
        case .complete: self = .complete
        case .error: self = .error
        default: return nil
        }
    }
}
