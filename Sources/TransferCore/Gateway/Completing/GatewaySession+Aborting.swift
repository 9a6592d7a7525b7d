import TransferCommon
import WireProtocol

// Aborting (specification §9.3), and dropping an upload that is left in the store although its object exists. Both
// continue when the agent's connection ends.

extension GatewaySession {
    /// Called by the gateway for ABORT.
    mutating func receivedAbort(from attachment: Attachment, _ context: inout GatewayContext) {
        dropAllParts(&context)
        while let other = attached.nextEnded(byAbortAt: attachment) {
            answer(other.attachment, other.refusing(.aborted), &context)
        }
        attached.attach(AttachedSlot(aborting: attachment))
        if case .settled = phase { return finishAborting(&context) }
        if isOnePart, !givenUp.isEmpty {
            return ask(.ofOnePart, &context)
        }
        guard !isOnePart, let upload = facts.upload else { return finishAborting(&context) }
        ask(UploadAbort(of: upload), &context)
    }

    private mutating func ask(_ abort: UploadAbort, _ context: inout GatewayContext) {
        phase = .aborting(abort)
        request = abort.question(key: facts.key).map { context.request($0, for: id) }
    }

    /// The pause before the next attempt is over.
    mutating func abortAgain(_ abort: UploadAbort, _ context: inout GatewayContext) {
        var abort = abort
        abort.resumed()
        ask(abort, &context)
    }

    mutating func receivedAbortAnswer(
        _ answer: StoreAnswer, _ abort: UploadAbort, _ context: inout GatewayContext
    ) {
        var abort = abort
        let result = abort.answered(answer, mayLand: !givenUp.isEmpty, now: context.now)
        switch result {
        case .ask: ask(abort, &context)
        case .pause: phase = .aborting(abort)
        case .finished: finishAborting(&context)
        case .failed: fail(answer.refusal(in: .session), &context)
        }
    }

    mutating func receivedLeftoverAnswer(_ answer: StoreAnswer, _ context: inout GatewayContext) {
        switch leftover.answered(answer, mayLand: !givenUp.isEmpty) {
        case .list:
            guard let upload = facts.upload else { return }
            leftover.lists(context.request(.listParts(key: facts.key, upload: upload), for: id))
        case .removeRecord: removeRecord(&context)
        case .nothing: break
        }
    }

    /// Called after each answer to a request that was given up.
    mutating func finishAbortingIfAnswered(_ context: inout GatewayContext) {
        guard case .aborting = phase, isOnePart, givenUp.isEmpty else { return }
        finishAborting(&context)
    }

    private mutating func finishAborting(_ context: inout GatewayContext) {
        // While a request that was given up has no answer, it may still store a part of the upload. The store's
        // cleaning then needs the record to find the part.
        if !isOnePart, givenUp.isEmpty { removeRecord(&context) }
        phase = .ended
        for attachment in attached.attachments { answer(attachment, .aborted(Aborted()), &context) }
        context.actions.append(.note(.aborted(id, key: facts.key)))
    }
}
