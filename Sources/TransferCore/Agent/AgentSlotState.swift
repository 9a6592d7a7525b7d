/// The state of a slot as the agent follows it (specification §6.1). The gateway follows the same states; but only a
/// gateway knows of a list that is not whole, and only an agent of a slot that it has left.
package enum AgentSlotState: String, CaseIterable, Sendable {
    /// The slot has no use.
    case closed
    /// SESSION OPEN was sent, and no answer has come.
    case opening
    /// RESUME QUERY was sent with its list, and no answer has come.
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
