import TransferCommon
import WireProtocol

// Aborting (specification §9.3), and dropping an upload that is left beside its object. Both continue when the agent's
// connection ends.

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

    /// The store has aborted or listed an upload that was left beside its object. If parts may still be there, the
    /// record stays, by which cleaning finds them.
    mutating func receivedLeftoverAnswer(_ answer: StoreAnswer, _ context: inout GatewayContext) {
        leftover = nil
        switch answer {
        case .done:
            guard let upload = facts.upload else { return }
            leftover = context.request(.listParts(key: facts.key, upload: upload), for: id)
        case .failed(.uploadUnknown), .parts([]):
            if givenUp.isEmpty { removeRecord(&context) }
        default:
            break
        }
    }

    /// Called after each answer to a request that was given up.
    mutating func finishAbortingIfAnswered(_ context: inout GatewayContext) {
        guard case .aborting = phase, isOnePart, givenUp.isEmpty else { return }
        finishAborting(&context)
    }

    private mutating func finishAborting(_ context: inout GatewayContext) {
        // A request that was given up may still put a part into the upload: then cleaning needs the record.
        if !isOnePart, givenUp.isEmpty { removeRecord(&context) }
        phase = .ended
        for attachment in attached.attachments { answer(attachment, .aborted(Aborted()), &context) }
        context.actions.append(.note(.aborted(id, key: facts.key)))
    }
}
