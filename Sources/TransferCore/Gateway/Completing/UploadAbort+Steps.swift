package import TransferCommon

// What a session does after each answer while it drops its upload (specification §9.3).

extension UploadAbort {
    /// Asks the store the question of the phase, if the phase has one.
    package func ask(_ target: SessionTarget) -> SessionStep {
        guard let question = question(key: target.key) else { return .rest(.aborting(self)) }
        return .ask(.aborting(self), question)
    }

    /// Judges the store's answer and returns the next step. `mayLand`: a request that was given up has no answer yet.
    package mutating func step(
        after answer: StoreAnswer, _ target: SessionTarget, mayLand: Bool, now: Instant
    ) -> SessionStep {
        switch answered(answer, mayLand: mayLand, now: now) {
        case .ask: ask(target)
        case .pause: .rest(.aborting(self))
        case .finished: .finishAbort
        case .failed: .refuse(answer.refusal(in: .session))
        }
    }

    /// Repeats the abort after the pause.
    package mutating func resumed(_ target: SessionTarget) -> SessionStep {
        resumed()
        return ask(target)
    }
}
