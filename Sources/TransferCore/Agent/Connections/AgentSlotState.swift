/// The state of a slot as the agent sees it (specification §6.1). The gateway sees the same states, with two
/// exceptions: only a gateway knows that a list is incomplete, and only an agent knows that it has left a slot.
package enum AgentSlotState: String, CaseIterable, Sendable {
    /// The slot is not used.
    case closed
    /// SESSION OPEN was sent, and no answer has come.
    case opening
    /// RESUME QUERY and its list of stored parts were sent, and no answer has come.
    case resuming
    /// Parts may be offered and sent.
    case open
    /// COMPLETE was sent, and the outcome has not come.
    case completing
    /// ABORT was sent, and no answer has come.
    case aborting
    /// PROVE was sent, and no answer has come.
    case proving
    /// SESSION LEAVE was sent, and SESSION LEFT has not come.
    case leaving
}
