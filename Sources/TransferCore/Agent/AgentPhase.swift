package import TransferCommon

/// Whether an agent takes up work.
///
///     from       event                                                   to
///     running    the user stops the run                                  stopping
///     running    no gateway serves this agent                            ended
///     stopping   nothing is worth finishing any more                     ended
///     stopping   the deadline; the user stops the run again              ended
///     stopping   no gateway serves this agent                            ended
///     any        the journal cannot be written                           journalLost
package enum AgentPhase: Hashable, Sendable {
    case running
    /// Nothing begins; until the deadline, parts and completions that are under way may end.
    case stopping(deadline: Instant)
    /// Every upload ends with this reason, and no connection is made.
    case ended(UploadFailure)
    /// The same, and no outcome can be recorded.
    case journalLost(UploadFailure)

    /// Why every upload ends, once none is taken up any more.
    package var verdict: UploadFailure? {
        switch self {
        case .running, .stopping: nil
        case .ended(let failure), .journalLost(let failure): failure
        }
    }

    /// Why an upload that is submitted now cannot begin.
    package var refusal: UploadFailure? {
        if case .stopping = self { .interrupted } else { verdict }
    }
}

extension UploadFailure {
    /// The user has stopped the run.
    static let interrupted = UploadFailure(.stopped, "interrupted")
}
