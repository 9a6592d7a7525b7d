import TransferCommon
import WireProtocol

// What waits for the journal.

extension AgentUpload {
    /// Called by the agent when the journal has become durable that far.
    mutating func journalCommitted(through sequence: JournalSequence, _ context: inout AgentContext) {
        if let unsavedEntry, unsavedEntry <= sequence {
            self.unsavedEntry = nil
            recheckIfWhole(&context)
        }
        switch phase {
        case .recording(let awaited, let pending) where awaited <= sequence:
            phase = .waiting(pending, until: context.now)
        case .ending(let awaited, let outcome) where awaited <= sequence:
            phase = .ended
            tell(outcome, &context)
        default:
            break
        }
    }

    /// The journal's row of a session that begins, here.
    func row(of session: SessionID, partBytes: UInt64, _ stamp: FileStamp) -> SavedSession {
        SavedSession(
            session: session, token: token, partBytes: partBytes, condition: condition, policy: policy,
            metadata: metadata, stamp: stamp, parts: [], losses: losses)
    }

    /// The gateway has opened another session: an unfinished one with equal terms, which the journal had lost
    /// (specification §8.3). The slot carries it from here on. If the agent ends before the journal has it, the next
    /// run opens anew and has it adopted again; so only COMPLETE waits.
    mutating func adopt(
        _ opened: SessionOpened, _ adoption: SessionOpened.Adoption, at attachment: Attachment,
        _ context: inout AgentContext
    ) {
        guard let plan, let stamp, plan.fileBytes != nil, !plan.isOnePart, opened.partBytes == plan.partBytes else {
            let message = "the gateway opened another session, which cannot be of this file"
            return end(.failed(UploadFailure(.protocolViolation, message)), &context)
        }
        stored.removeAll()
        bytesResumed = 0
        queue.restart()
        isTouched = false
        session = opened.session
        token = opened.token
        named = NamedParts()
        // The run that lost its journal may have sent it.
        mayBeCompleting = true
        unsavedEntry = context.journal(
            .began(id, row(of: opened.session, partBytes: opened.partBytes, stamp)), awaitedBy: id)
        context.actions.append(.report(id, .adopted(opened.session)))
        setStage(.open, of: attachment)
        phase = .transferring
        context.actions.append(.report(id, .opened(opened.session, resumedBytes: 0)))
        named.expectList(of: adoption.candidateParts, in: attachment)
        received(adoption.partials, at: attachment)
        offerReadyParts(&context)
    }
}
