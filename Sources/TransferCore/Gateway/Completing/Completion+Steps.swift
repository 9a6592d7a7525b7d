package import TransferCommon
import WireProtocol

// What a session does after each answer while it completes its upload (specification §9.1).

extension Completion {
    /// Asks the store the question of the current step.
    package func ask(_ target: SessionTarget) -> SessionStep {
        let question = question(key: target.key, plan: target.plan, condition: target.writeGuard.putCondition)
        return .ask(.completing(self), question)
    }

    /// Judges the store's answer to the question of the current step, and returns what the session does next.
    ///
    /// - Parameter stored: the session's parts in the store.
    package mutating func step(
        after answer: StoreAnswer, _ target: inout SessionTarget, stored: StoredParts, _ limits: GatewayLimits,
        now: Instant
    ) -> SessionStep {
        if step == .comparing, case .parts(let listing) = answer { noteEvidence(in: listing, stored) }
        switch answered(answer, attemptsMax: limits.completionAttempts, now: now) {
        case .prepare: return prepare(target, limits)
        case .found(let object):
            if let end = target.judge(object, content: content) { return end }
            return completes(attemptsMax: limits.completionAttempts) ? ask(target) : Self.notCompleted
        case .look: return ask(target)
        case .pause: return .rest(.completing(self))
        case .wanted(let parts): return .want(parts)
        case .stored(let object):
            let proven = object.proven(by: content, isVerified: isVerified)
            return .settle(proven, bytes: complete.size, leavesUpload: false)
        case .search(let cause, let isPatient):
            let retry = cause == .uploadUnknown ? SessionSearch.Retry.nothing : .completion(self)
            return .search(cause, isPatient: isPatient, retry: retry, content: content)
        case .failed:
            // The upload still exists. When the store answers again, the agent resumes the session and sends COMPLETE
            // again.
            return .refuse(answer.refusal(in: .session))
        }
    }

    /// Repeats the step after the pause. A completion is prepared again.
    package mutating func resumed(_ target: SessionTarget, _ limits: GatewayLimits) -> SessionStep {
        resumed()
        return step == .completing ? prepare(target, limits) : ask(target)
    }

    /// Completes the upload. The session first looks up the key if the store does not check the write condition, or if
    /// the session does not know yet what it may replace.
    package mutating func prepare(_ target: SessionTarget, _ limits: GatewayLimits) -> SessionStep {
        let writeGuard = target.writeGuard
        let mustLook =
            writeGuard.isBlind
            || writeGuard.mustLook(before: limits.conditions.complete, asking: writeGuard.putCondition)
        guard prepare(mustLook: mustLook, attemptsMax: limits.completionAttempts) else { return Self.notCompleted }
        return ask(target)
    }

    private static var notCompleted: SessionStep {
        .refuse(
            SessionRefused(
                .storeUnavailable, retryAfter: .seconds(1), message: "the store did not complete the file"))
    }
}
