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
        if self[attachment]?.hold(decision) == true { return }
        context.send(.partDecision(decision), to: attachment)
    }

    /// Reports a failed part in the slot in which the part was offered last.
    func report(
        _ number: PartNumber, _ refusal: SessionRefused, to owner: Attachment?, _ context: inout GatewayContext
    ) {
        guard let owner, self[owner] != nil else { return }
        let refusal = context.advised(refusal)
        let report = ErrorReport(
            scope: .part(number), code: refusal.code, retryAfterMilliseconds: refusal.retryAfterMilliseconds,
            message: refusal.message)
        context.send(.error(report), to: owner)
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
