import TransferCommon
import WireProtocol

// Steps that wait for the journal.

extension AgentUpload {
    /// All journal writes up to this one are durable.
    mutating func journalCommitted(through sequence: JournalSequence, _ context: inout AgentContext) {
        if let unsavedEntry, unsavedEntry <= sequence {
            self.unsavedEntry = nil
            recheckIfWhole(&context)
        }
        if let outcome = lifecycle.committed(through: sequence, now: context.now) {
            report(outcome, &context)
        }
    }

    /// The gateway has opened another session than the agent asked for: an unfinished one with equal terms, which the
    /// journal had lost (specification §8.3). From now on the slot carries the adopted session. If the agent ends
    /// before the journal has this session, the next run opens a new session, and the gateway adopts the unfinished one
    /// again. So only COMPLETE waits for the journal.
    mutating func adopt(
        _ opened: SessionOpened, _ adoption: SessionOpened.Adoption, at place: Attachment,
        _ context: inout AgentContext
    ) {
        guard let plan = session.plan, let stamp = session.stamp, plan.fileBytes != nil, !plan.isOnePart,
            opened.partBytes == plan.partBytes
        else {
            let message = "the gateway opened another session, which cannot be of this file"
            return end(.failed(UploadFailure(.protocolViolation, message)), &context)
        }
        parts.adopt()
        session.adopt(opened)
        bytesResumed = 0
        let row = session.row(of: opened.session, stamp, partBytes: opened.partBytes)
        unsavedEntry = context.journal(.began(id, row), awaitedBy: id)
        context.actions.append(.report(id, .adopted(opened.session)))
        lifecycle.opened(in: place)
        context.actions.append(.report(id, .opened(opened.session, resumedBytes: 0)))
        parts.expectList(of: adoption.candidateParts, in: place)
        parts.name(adoption.partials, in: place, of: plan)
        offerReadyParts(&context)
    }
}
