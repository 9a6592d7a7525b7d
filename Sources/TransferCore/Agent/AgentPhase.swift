package import TransferCommon

/// Whether an agent takes up work.
///
///     from       event                                                   to
///     running    the user stops the run                                  stopping
///     running    no gateway serves this agent                            ended
///     running    no progress for `AgentLimits.retryFor`                  ended
///     stopping   nothing is worth finishing any more                     ended
///     stopping   the deadline; the user stops the run again              ended
///     stopping   no gateway serves this agent                            ended
///     any        the journal cannot be written                           journalLost
package enum AgentPhase: Hashable, Sendable {
    case running
    /// The agent begins no new work. Until the deadline, it finishes parts and completions that are under way.
    case stopping(deadline: Instant)
    /// Every upload ends with this reason, or with its own, and no connection is made.
    case ended(UploadFailure)
    /// Every upload ends with this reason, no connection is made, and no outcome can be recorded.
    case journalLost(UploadFailure)

    /// The failure with which every upload ends, once the run has ended; `nil` before.
    package var verdict: UploadFailure? {
        switch self {
        case .running, .stopping: nil
        case .ended(let failure), .journalLost(let failure): failure
        }
    }

    /// Why an upload that is submitted now cannot begin; `nil` if it can.
    package var refusal: UploadFailure? {
        if case .stopping = self { .interrupted } else { verdict }
    }
}
