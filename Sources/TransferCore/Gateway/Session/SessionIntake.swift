import TransferCommon
import WireProtocol

/// What a session takes in from its agent: the slots that carry the session, and the parts that are offered and sent in
/// them.
///
/// `AttachedSlots` and `SessionParts` decide. This type joins both: it sends what they return, and obtains memory,
/// flows and calls to the store for parts. It does not know the session's phase. It returns everything that concerns
/// the whole session as a `SessionStep`, which `GatewaySession` applies.
struct SessionIntake: Hashable {
    var slots = AttachedSlots()
    var parts: SessionParts
    /// What the session holds besides the memory of its parts.
    var memory: SessionMemory
    /// The device to which the budget of the parts is charged.
    private(set) var device: SHA256Digest

    init(plan: PartPlan, device: SHA256Digest, memory: SessionMemory) {
        self.parts = SessionParts(plan: plan, partsMax: memory.partsMax)
        self.memory = memory
        self.device = device
    }

    /// Gives a refused session, which begins again, a table for its stored parts.
    mutating func beginAgain(_ memory: SessionMemory) {
        self.memory = memory
        parts.beginAgain(partsMax: memory.partsMax)
    }

    // MARK: Slots

    /// Charges the session to the new key of the device. Gives up the parts that the store has not taken, because their
    /// memory is charged to the earlier key. The agent sends these parts again.
    mutating func changeDevice(to device: SHA256Digest, _ context: inout GatewayContext) {
        guard device != self.device else { return }
        giveUpParts(&context)
        self.device = device
    }

    /// Ends the slots of a lost connection; bytes of its parts stay for a while, for the agent's next connection.
    mutating func connectionLost(_ connection: ConnectionID, _ context: inout GatewayContext) {
        slots.connectionLost(connection, now: context.now)
        for lost in parts.connectionLost(connection, now: context.now) {
            switch lost {
            case .keeps(let call): context.breaker.abandoned(call, now: context.now)
            case .givesUp(let part): context.giveUp(part, of: device)
            }
        }
    }

    /// Detaches a slot that the agent left deliberately, and drops its parts, which the agent will not continue.
    mutating func leave(_ attachment: Attachment, _ context: inout GatewayContext) {
        slots.detach(attachment, now: context.now)
        giveUpParts(where: { $0.owner == attachment }, &context)
    }

    /// Answers a slot with the frame that closes the slot, and drops the parts that are being sent in it.
    mutating func close(_ attachment: Attachment, with frame: Frame, _ context: inout GatewayContext) {
        giveUpParts(where: { $0.owner == attachment }, &context)
        slots.close(attachment, with: frame, &context)
    }

    /// Closes every slot with the answer of a session that ends.
    mutating func closeAll(
        _ answer: SessionEnding.Answer, _ target: SessionTarget, _ context: inout GatewayContext
    ) {
        giveUpParts(&context)
        while let slot = slots.first {
            slots.close(slot.attachment, with: context.frame(of: answer, for: slot, target), &context)
        }
        slots.ended(now: context.now)
        parts.forgetStored()
    }

    /// Closes every other slot and gives up every part, because ABORT has arrived in a slot.
    mutating func receivedAbort(from attachment: Attachment, _ context: inout GatewayContext) {
        giveUpParts(&context)
        while let other = slots.nextEnded(byAbortAt: attachment) {
            slots.close(other.attachment, with: other.refusing(.aborted), &context)
        }
        slots.attach(AttachedSlot(aborting: attachment))
    }

    /// Answers a slot that resumes while the session is completing. The slot then waits for the outcome.
    mutating func joinCompletion(_ attachment: Attachment, _ target: SessionTarget, _ context: inout GatewayContext) {
        context.send(.resumeState(target.resumeState(.completing)), to: attachment)
        context.slotChanges.append(.open(attachment))  // The gateway then releases the list of RESUME QUERY.
        slots.expectOutcome(at: attachment, &context)
    }

    // MARK: The open session

    /// Answers every slot of a session that is open now, and decides the parts that were offered before.
    mutating func opened(_ target: SessionTarget, _ context: inout GatewayContext) {
        for attachment in slots.attachments { answerNowOpen(attachment, target, &context) }
        decideWaitingParts(target, &context)
        releaseIfComplete(target, &context)
    }

    /// Answers a slot that waits until the session is open.
    mutating func answerNowOpen(_ attachment: Attachment, _ target: SessionTarget, _ context: inout GatewayContext) {
        // The answer to an earlier slot may have closed this one.
        guard let question = slots[attachment]?.question else { return }
        guard let token = context.token(for: target.facts, device: target.device) else {
            let refusal = SessionRefused.defect("the gateway cannot seal a token")
            return close(attachment, with: .sessionRefused(refusal), &context)
        }
        let joins = question.listed.isEmpty && !question.asksForPartials && slots.hasOpenSlot(besides: attachment)
        let answer = ResumeAnswer(stored: parts.stored, listed: question.listed, joins: joins)
        let candidates = question == .open ? PartSet() : answer.candidates
        guard context.beginAnswer(candidates, at: attachment, of: device) else {
            return close(attachment, with: .sessionRefused(.noRoom(context.limits)), &context)
        }
        let held = slots[attachment]?.answered() ?? []
        context.slotChanges.append(.open(attachment))
        let partials = question.asksForPartials ? namePartials(to: attachment, except: question.listed) : []
        context.send(answer.frame(to: question, of: target, partials: partials, token: token), to: attachment)
        var isSent = true
        while isSent, context.answers.nextSlot(on: attachment.connection, context.limits) == attachment {
            isSent = context.sendPage(at: attachment) { parts.stored[$0] }
        }
        for decision in held { context.send(.partDecision(decision), to: attachment) }
        if parts.table.isWanted(by: attachment) { slots.expectOutcome(at: attachment, &context) }
    }

    private mutating func namePartials(to attachment: Attachment, except listed: [PartListEntry]) -> [PartialPart] {
        let partials = parts.namePartials(to: attachment, except: Set(listed.map(\.part)))
        // COMPLETE of a one-part file may refer to a part that was named instead of offered.
        for partial in partials { slots[attachment]?.offered(partial.part) }
        return partials
    }

    /// Asks the agent to send parts again, and opens the slots that were completing.
    mutating func want(_ numbers: [PartNumber], _ target: SessionTarget, _ context: inout GatewayContext) {
        parts.wanted(numbers)
        slots.want(numbers, &context)
        opened(target, &context)
    }

    // MARK: Adoption

    /// Takes over the slots of `opening`, the session that an agent asked to open, with the parts that were offered in
    /// these slots. `listed`: the parts of the adopted session that the store has.
    mutating func adopt(
        _ opening: SessionIntake, listed: [PartListEntry], _ target: SessionTarget, _ context: inout GatewayContext
    ) {
        parts.adopted(listed, keepsETags: memory.extendTable(for: listed, &context))
        slots.takeOver(opening.slots)
        var opening = opening
        for number in opening.parts.table.numbers() {
            guard let offered = opening.parts[number], let owner = offered.owner else { continue }
            slots.reportTakeover(
                of: number, from: parts[number]?.owner, to: owner, isOnePart: parts.isOnePart, &context)
            switch parts.adopt(offered, by: owner, partsMax: context.limits.partsPerSessionMax) {
            case .keepsOwn(let decision):
                opening.giveUpPart(number, &context)
                slots.send(decision, of: number, to: owner, &context)
            case .takesOver(let replaced):
                if let replaced { context.giveUp(replaced, of: device) }
                context.moveFlow(offered.flow, to: target.session)
            case .full(let replaced):
                if let replaced { context.giveUp(replaced, of: device) }
                opening.giveUpPart(number, &context)
                slots.send(.later(.busy, after: context.limits.laterAdvice), of: number, to: owner, &context)
            }
        }
    }
}
