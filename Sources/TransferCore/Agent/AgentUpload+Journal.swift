import WireProtocol

// What waits for the journal.

extension AgentUpload {
    /// Called by the agent when the journal has become durable that far.
    mutating func journalCommitted(through sequence: JournalSequence, _ context: inout AgentContext) {
        if let unsavedPart, unsavedPart <= sequence {
            self.unsavedPart = nil
            recheckIfWhole(&context)
        }
        switch phase {
        case .recording(let awaited, let errand) where awaited <= sequence:
            phase = .waiting(errand, until: context.now)
        case .ending(let awaited, let outcome) where awaited <= sequence:
            phase = .ended
            tell(outcome, &context)
        default:
            break
        }
    }

    /// The gateway named another session to go on with: the journal takes it before it is resumed.
    mutating func adopt(_ opened: SessionOpened, _ context: inout AgentContext) {
        guard let fileBytes = plan?.fileBytes, let plan = PartPlan(fileBytes: fileBytes, partBytes: opened.partBytes)
        else { return end(.failed(UploadFailure(.protocolViolation)), &context) }
        forgetParts(&context)
        unkeepAll()
        self.plan = plan
        token = opened.token
        nextFresh = 1
        pending = []
        context.actions.append(.report(id, .adopted(opened.session)))
        beginSession(opened.session, partBytes: opened.partBytes, then: .resume, &context)
    }
}
