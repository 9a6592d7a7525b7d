import TransferCommon
import WireProtocol

// What the slots of a session send to the agent, and the changes that they request of the gateway.

extension AttachedSlots {
    /// Closes a slot with its last frame.
    mutating func close(_ attachment: Attachment, with frame: Frame, _ context: inout GatewayContext) {
        detach(attachment, now: context.now)
        context.send(frame, to: attachment)
        context.slotChanges.append(.closed(attachment, isFruitful: frame.tellsOfObject))
    }

    /// Lets a slot wait for the outcome of COMPLETE.
    mutating func expectOutcome(at attachment: Attachment, _ context: inout GatewayContext) {
        guard self[attachment] != nil else { return }
        self[attachment]?.completes()
        context.slotChanges.append(.completing(attachment))
    }

    /// Sends a decision. A slot that is opening or resuming gets it after the answer to SESSION OPEN or RESUME QUERY.
    mutating func send(
        _ decision: PartDecision.Decision, of number: PartNumber, to attachment: Attachment,
        _ context: inout GatewayContext
    ) {
        let decision = PartDecision(part: number, decision: decision)
        if hold(decision, at: attachment) { return }
        context.send(.partDecision(decision), to: attachment)
    }

    /// Confirms a stored part. An agent ignores STORED before the answer to SESSION OPEN or RESUME QUERY, so in an
    /// unanswered slot the confirmation becomes the decision.
    mutating func send(_ stored: Stored, to attachment: Attachment, _ context: inout GatewayContext) {
        let decision = PartDecision(part: stored.part, decision: .have(etag: stored.etag))
        if hold(decision, at: attachment) { return }
        context.send(.stored(stored), to: attachment)
    }

    /// Tells the agent how many bytes of a part have arrived and how many it may send. In an unanswered slot, these
    /// figures replace those of the held decision.
    mutating func send(_ received: Received, to attachment: Attachment, _ context: inout GatewayContext) {
        let decision = PartDecision(
            part: received.part, decision: .send(offset: received.received, limit: received.limit))
        if hold(decision, at: attachment) { return }
        context.send(.received(received), to: attachment)
    }

    /// Reports a failed part in the slot in which the part was offered last. In an unanswered slot, the report becomes
    /// the decision.
    mutating func report(
        _ number: PartNumber, _ refusal: SessionRefused, to owner: Attachment?, _ context: inout GatewayContext
    ) {
        guard let owner, self[owner] != nil else { return }
        let refusal = context.advised(refusal)
        if hold(PartDecision(part: number, decision: refusal.asDecision), at: owner) { return }
        let report = ErrorReport(
            scope: .part(number), code: refusal.code, retryAfterMilliseconds: refusal.retryAfterMilliseconds,
            message: refusal.message)
        context.send(.error(report), to: owner)
    }

    /// Tells the slot that sent a part until now (`former`) that the part continues in another slot.
    ///
    /// An offer can be delayed on a slow connection, and arrive after the offer with which the agent moved the part
    /// away from that connection. The agent waits in the slot of its newest offer. If that is the former slot, the
    /// agent offers the part there again.
    mutating func reportTakeover(
        of number: PartNumber, from former: Attachment?, to owner: Attachment, isOnePart: Bool,
        _ context: inout GatewayContext
    ) {
        guard let former, former != owner else { return }
        // For the agent, the report makes its COMPLETE of the part void.
        if isOnePart { reopen(&context) }
        report(
            number, SessionRefused(.partInterrupted, message: "the part was offered in another slot, too"), to: former,
            &context)
    }

    /// Opens the slots that were completing, because COMPLETE of a one-part file is void.
    mutating func reopen(_ context: inout GatewayContext) {
        for attachment in reopen() { context.slotChanges.append(.open(attachment)) }
    }

    /// Opens the slots that were completing, and sends PARTS WANTED in each of them.
    mutating func want(_ numbers: [PartNumber], _ context: inout GatewayContext) {
        for attachment in reopen() {
            context.slotChanges.append(.open(attachment))
            context.send(.partsWanted(PartsWanted(parts: numbers.sorted())), to: attachment)
        }
    }
}

extension SessionRefused {
    /// The decision that says the same of an offered part. *Later* if the agent repeats the offer, otherwise *no*.
    fileprivate var asDecision: PartDecision.Decision {
        switch FailureRule.reaction(to: code, in: .part) {
        case .tryAgain: .later(code: code, retryAfterMilliseconds: retryAfterMilliseconds)
        case .reconnect, .beginAnew, .readAgain, .report, .stop: .no(code: code)
        }
    }
}
