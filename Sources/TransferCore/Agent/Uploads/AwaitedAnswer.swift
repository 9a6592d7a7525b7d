package import TransferCommon

/// The answer that a gateway owes to an upload or a proof.
///
///     from  event                                                          to
///     none  a request waits for its answer                                 due
///     due   the answer comes, or the request is given up                   none
///     due   another request waits for its answer                           due, from now on
///     due   the user has been told of the wait                             told
///     told  the answer comes, or the request is given up                   none
///     told  another request waits for its answer                           due, from now on
///
/// A gateway may need minutes for an answer, while the store joins a large file or the gateway reads an object back. As
/// long as it answers PING, the agent waits for `AgentLimits.answerFor` instead of `AgentLimits.retryFor`.
package struct AwaitedAnswer: Hashable, Sendable {
    /// What a gateway has not answered.
    package enum Request: Hashable, Sendable {
        case open, resume, complete, abort, prove
        /// The gateway has a whole part, and has not said that the part is stored.
        case part
    }

    /// The states of the answer, as the table in the comment on `AwaitedAnswer` lists them.
    package enum State: Hashable, Sendable {
        /// No gateway owes an answer.
        case none
        /// The user does not know of the wait.
        case due(Request, since: Instant)
        /// The user has been told of the wait.
        case told(Request, since: Instant)
    }

    package private(set) var state = State.none

    package init() {}

    /// When the answer became due; `nil` if none is owed.
    package var dueSince: Instant? {
        switch state {
        case .none: nil
        case .due(_, let since), .told(_, let since): since
        }
    }

    /// Notes which request waits for its answer now. While parts are sent one after the other, some part nearly always
    /// waits for its confirmation, so the wait for a confirmation counts anew from each progress.
    package mutating func awaits(_ request: Request?, progressAt: Instant, now: Instant) {
        guard let request else {
            state = .none
            return
        }
        switch state {
        case .due(request, let since), .told(request, let since):
            if request == .part, since < progressAt { state = .due(request, since: progressAt) }
        case .none, .due, .told:
            state = .due(request, since: now)
        }
    }

    /// When to report the wait to the user; `nil` if there is nothing to report.
    package func tellsAt(_ wait: Duration) -> Instant? {
        if case .due(_, let since) = state { since + wait } else { nil }
    }

    /// The agent reports the wait to the user.
    package mutating func told() {
        if case .due(let request, let since) = state { state = .told(request, since: since) }
    }
}

extension AwaitedAnswer.Request {
    /// What a gateway owes to an upload in this phase; `nil` if it owes nothing.
    init?(of phase: UploadPhase, _ parts: UploadParts) {
        switch phase {
        case .opening: self = .open
        case .resuming: self = .resume
        case .completing: self = .complete
        case .aborting: self = .abort
        case .transferring where parts.underWay.values.contains(where: \.isSent): self = .part
        case .beginning, .waiting, .recording, .comparing, .verifying, .transferring, .rechecking, .ending, .ended:
            return nil
        }
    }
}
