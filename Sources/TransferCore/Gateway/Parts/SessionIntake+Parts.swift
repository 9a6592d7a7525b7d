import TransferCommon
import WireProtocol

// Offers, data and credit (specification §7). These methods perform what `SessionParts` decides.

extension SessionIntake {
    // MARK: Offers

    /// Judges PART OFFER in a slot that is opening, resuming, open or completing; returns the violation that ends the
    /// connection, if any. Only an open session decides the part now.
    mutating func receivedOffer(
        _ offer: PartOffer, from attachment: Attachment, isOpen: Bool, _ target: SessionTarget,
        _ context: inout GatewayContext
    ) -> Violation? {
        slots[attachment]?.offered(offer.part)
        if let slot = slots[attachment] {
            // Held decisions take memory that no budget counts, so their number is bounded.
            guard slot.heldCount < context.limits.heldDecisionsMax else {
                let message = "more than \(context.limits.heldDecisionsMax) offers before the session was open"
                let refusal = SessionRefused(.busy, retryAfter: context.limits.laterAdvice, message: message)
                close(attachment, with: slot.refusing(refusal), &context)
                return nil
            }
        }
        // Looking up the device's bounds takes time, and only the parts of a stream are judged by them.
        let rule = target.plan.isStream ? context.limits(of: device).grantedParts : context.limits.parts
        let former = parts[offer.part]?.owner
        switch parts.receivedOffer(offer, from: attachment, rule: rule) {
        case .wrong(let reason): return .offer(offer, reason)
        case .beyond: slots.send(.no(code: .sizeUnsupported), of: offer.part, to: attachment, &context)
        case .continues(let decision, let voidsComplete):
            if voidsComplete, parts.isOnePart { slots.reopen(&context) }
            slots.send(decision, of: offer.part, to: attachment, &context)
            slots.reportTakeover(of: offer.part, from: former, to: attachment, isOnePart: parts.isOnePart, &context)
        case .isNew(let replaced):
            if parts.isOnePart { slots.reopen(&context) }
            if let replaced { context.giveUp(replaced, of: device) }
            slots.reportTakeover(of: offer.part, from: former, to: attachment, isOnePart: parts.isOnePart, &context)
            takeUp(offer, from: attachment, isOpen: isOpen, target, &context)
        }
        return nil
    }

    private mutating func takeUp(
        _ offer: PartOffer, from attachment: Attachment, isOpen: Bool, _ target: SessionTarget,
        _ context: inout GatewayContext
    ) {
        let undecided = context.reservations.undecidedParts(on: attachment.connection)
        guard parts.table.count < context.limits.partsPerSessionMax, undecided < context.limits.undecidedPartsMax else {
            let later = PartDecision.Decision.later(.busy, after: context.limits.laterAdvice)
            return slots.send(later, of: offer.part, to: attachment, &context)
        }
        if isOpen, let known = parts.storedForm(of: offer) {
            return slots.send(.have(etag: known.etag), of: offer.part, to: attachment, &context)
        }
        let flow = context.openFlow(
            size: offer.size, holdsLast: target.isOnePart, for: FlowOwner(session: target.session, part: offer.part))
        parts.add(offer, from: attachment, flow: flow)
        context.reservations.offered(on: attachment.connection)
        if isOpen { decideWaitingPart(offer.part, target, &context) }
    }

    /// Decides the parts that were offered while the session was opening.
    mutating func decideWaitingParts(_ target: SessionTarget, _ context: inout GatewayContext) {
        guard !parts.isEmpty else { return }
        for number in parts.table.numbers(where: \.isUndecided) {
            if let part = parts[number], let owner = part.owner, let known = parts.storedForm(of: part.offer) {
                giveUpPart(number, &context)
                slots.send(.have(etag: known.etag), of: number, to: owner, &context)
            } else {
                decideWaitingPart(number, target, &context)
            }
        }
    }

    private mutating func decideWaitingPart(
        _ number: PartNumber, _ target: SessionTarget, _ context: inout GatewayContext
    ) {
        guard let part = parts[number], let owner = part.owner else { return }
        switch context.grant(part, owner: owner, of: target) {
        case .granted(let grant):
            let decision = parts.decided(number, grant, condition: target.writeGuard.putCondition)
            slots.send(decision, of: number, to: owner, &context)
            releaseIfComplete(target, &context)
        case .later(let code, let delay):
            giveUpPart(number, &context)
            voidComplete(&context)
            slots.send(.later(code, after: delay), of: number, to: owner, &context)
        }
    }

    // MARK: Data

    /// Counts plain bytes that are about to go to the flow of a part; returns whether they may be appended.
    mutating func receivedBytes(
        _ count: UInt64, of number: PartNumber, flow: FlowID, connection: ConnectionID,
        _ context: inout GatewayContext
    ) -> Bool {
        switch parts.receivedBytes(count, of: number, flow: flow, connection: connection) {
        case .unwanted: return false
        case .undecided: context.reservations.receivedUndecided(count, on: connection)
        case .counted: break
        case .whole(let received, let owner): slots.send(received, to: owner, &context)
        }
        return true
    }

    /// Releases budget and raises the agent's limit, because the call to the store has taken bytes of a part's flow.
    mutating func consumed(_ total: UInt64, of number: PartNumber, flow: FlowID, _ context: inout GatewayContext) {
        let window = context.limits(of: device).partWindowBytes
        let result = parts.consumed(
            total, of: number, flow: flow, heldBytesMax: context.limits.heldPartBytesMax, window: window)
        guard let result else { return }
        if let call = result.part.handedOver { context.pace.handedOver(call, now: context.now) }
        context.reservations.release(result.part.bytesReleased, device: device)
        if let received = result.received, let owner = result.owner { slots.send(received, to: owner, &context) }
    }

    // MARK: The store's answers

    /// Removes a part whose call the store has answered, and reports the outcome to the agent. Returns what the whole
    /// session does; `nil` if the answer concerns only the part.
    mutating func receivedPartAnswer(
        _ answer: StoreAnswer, part number: PartNumber, _ context: inout GatewayContext
    ) -> SessionStep? {
        let digest: SHA256Digest? = if case .partStored = answer { parts[number]?.offer.digest } else { nil }
        let keepsETag = memory.extendTable(for: answer, digest: digest, &context)
        let answered = parts.receivedAnswer(answer, part: number, listed: slots.listedMax, keepsETag: keepsETag)
        guard let (part, result) = answered else { return nil }
        context.release(part, of: device)
        switch result {
        case .stored(let stored): if let owner = part.owner { slots.send(stored, to: owner, &context) }
        case .failed(let refusal): reportPart(number, refusal, to: part.owner, &context)
        case .step(let step): return step
        }
        return nil
    }

    /// Judges the look at the key that a one-part file's last bytes wait for; returns a step that ends the session.
    mutating func receivedLook(
        _ answer: StoreAnswer, part number: PartNumber, _ target: inout SessionTarget, _ context: inout GatewayContext
    ) -> SessionStep? {
        guard let part = parts[number] else { return nil }
        guard case .object(let object) = answer else {
            giveUpPart(number, &context)
            if case .failed(let failure) = answer, failure.endsSession {
                return .refuse(failure.refusal(in: .session))
            }
            reportPart(number, answer.refusal(in: .part), to: part.owner, &context)
            return nil
        }
        if let end = target.judge(object, content: .wholeDigest(part.offer.digest)) { return end }
        if let flow = parts.looked(number) { context.actions.append(.releaseFlow(flow)) }
        return nil
    }

    // MARK: The end of a part

    private mutating func reportPart(
        _ number: PartNumber, _ refusal: SessionRefused, to owner: Attachment?, _ context: inout GatewayContext
    ) {
        voidComplete(&context)
        slots.report(number, refusal, to: owner, &context)
    }

    /// Asks the agent to offer the one part of a file again. The store refused the part, because the object under the
    /// key was not the expected one, and the gateway no longer has the bytes of the part.
    mutating func reportLostPart(to owner: Attachment?, _ context: inout GatewayContext) {
        guard let number = PartNumber(1), parts[number] == nil else { return }
        let refusal = SessionRefused(.partInterrupted, message: "the object under the key has changed")
        reportPart(number, refusal, to: owner, &context)
    }

    /// Gives up a part that an agent is sending, and asks for another offer; returns whether an agent is sending it.
    mutating func interruptPart(
        _ number: PartNumber, _ refusal: SessionRefused, _ context: inout GatewayContext
    ) -> Bool {
        guard let owner = parts[number]?.owner else { return false }
        giveUpPart(number, &context)
        reportPart(number, refusal, to: owner, &context)
        return true
    }

    mutating func giveUpPart(_ number: PartNumber, _ context: inout GatewayContext) {
        if let part = parts.giveUp(number) { context.giveUp(part, of: device) }
    }

    /// Gives up the parts that fulfil a condition, in order.
    mutating func giveUpParts(
        where condition: (IncomingPart) -> Bool = { _ in true }, _ context: inout GatewayContext
    ) {
        for part in parts.giveUpAll(where: condition) { context.giveUp(part, of: device) }
    }

    /// Gives up the orphaned parts whose grace is over.
    mutating func giveUpDueParts(_ context: inout GatewayContext) {
        guard !parts.isEmpty else { return }
        for number in parts.table.due(grace: context.limits.partGrace, now: context.now) {
            giveUpPart(number, &context)
        }
    }

    // MARK: A file of one part

    /// Checks COMPLETE of a one-part file. One request to the store carries the file, whose last bytes are held back
    /// until the part is decided and COMPLETE is checked (specification §9.2).
    mutating func receivedCompleteOfOnePart(
        _ complete: Complete, from slot: AttachedSlot, _ rule: CompleteRule, isOpen: Bool, _ target: SessionTarget,
        _ context: inout GatewayContext
    ) {
        guard let number = PartNumber(1), let part = parts[number], part.owner == slot.attachment else {
            // If the part was deferred, has failed, or continues in another slot, this COMPLETE is void, and the agent
            // sends another one.
            guard !slot.hasOffered else { return }
            let refusal = SessionRefused(.listInvalid, message: "COMPLETE of a part that was not offered in this slot")
            return close(slot.attachment, with: .error(refusal.asSessionError), &context)
        }
        if let objection = rule.objection(to: part, of: complete, rootDigest: context.cryptography.rootDigest) {
            return close(slot.attachment, with: .error(objection.asSessionError), &context)
        }
        parts.completed(number)
        if slot.question == nil { slots.expectOutcome(at: slot.attachment, &context) }
        if isOpen { releaseIfComplete(target, &context) }
    }

    /// Releases the last bytes of a one-part file, once the part is decided and COMPLETE has passed the checks.
    mutating func releaseIfComplete(_ target: SessionTarget, _ context: inout GatewayContext) {
        switch parts.releaseIfComplete(target.writeGuard, context.limits.conditions.put) {
        case .wait: break
        case .release(let flow): context.actions.append(.releaseFlow(flow))
        case .look: parts.looks(context.request(target.lookUp, for: .session(target.session, device: device)))
        }
    }

    private mutating func voidComplete(_ context: inout GatewayContext) {
        guard parts.isOnePart else { return }
        parts.voidComplete()
        slots.reopen(&context)
    }
}

extension PartDecision.Decision {
    static func later(_ code: ErrorCode, after delay: Duration) -> PartDecision.Decision {
        .later(code: code, retryAfterMilliseconds: delay.wireMilliseconds)
    }
}
