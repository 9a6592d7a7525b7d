import TransferCommon
import WireProtocol

// Completing a file of one part (specification §9.2): one request to the store carries the file, and its last bytes are
// held back until COMPLETE.

extension GatewaySession {
    /// COMPLETE has arrived, and its numbers are the session's.
    mutating func receivedCompleteOfOnePart(
        _ complete: Complete, from slot: AttachedSlot, _ context: inout GatewayContext
    ) {
        guard let number = PartNumber(1), let part = parts[number], part.owner == slot.attachment else {
            // If the part was deferred, has failed, or continues in another slot, this COMPLETE is void, and the agent
            // sends another one.
            guard !slot.hasOffered else { return }
            let refusal = SessionRefused(.listInvalid, message: "COMPLETE of a part that was not offered in this slot")
            return refuseCompletion(refusal, to: slot.attachment, &context)
        }
        let rule = CompleteRule(plan: plan, extent: extent)
        if let objection = rule.objection(to: part, of: complete, rootDigest: context.cryptography.rootDigest) {
            return refuseCompletion(objection, to: slot.attachment, &context)
        }
        parts[number]?.completed()
        if slot.question == nil { expectOutcome(at: slot.attachment, &context) }
        releaseIfComplete(&context)
    }

    /// COMPLETE is void, because the part is offered again, was deferred or dropped, or has failed. The slots that were
    /// completing are open again, and the agent sends another COMPLETE.
    mutating func voidCompletion(_ context: inout GatewayContext) {
        guard isOnePart, let number = PartNumber(1) else { return }
        parts[number]?.completionVoided()
        for attachment in attached.reopen() { context.slotChanges.append(.open(attachment)) }
    }

    /// Releases the last bytes of a one-part file to the store, once the part is decided and COMPLETE has passed the
    /// checks.
    mutating func releaseIfComplete(_ context: inout GatewayContext) {
        guard case .open = phase, let number = PartNumber(1), let part = parts[number], part.tail == .wanted,
            let sending = part.sending
        else { return }
        guard writeGuard.mustLook(before: context.limits.conditions.put, asking: sending.condition) else {
            parts[number]?.released()
            return release(number, &context)
        }
        let look = context.request(.lookUpObject(key: facts.key, plan: plan), for: id)
        parts[number]?.looks(look)
    }

    private mutating func release(_ number: PartNumber, _ context: inout GatewayContext) {
        guard let part = parts[number], part.tail == .released else { return }
        context.actions.append(.releaseFlow(part.flow))
    }

    /// The store has looked up the key, right before the last bytes of a one-part file are released.
    mutating func receivedLookBeforeRelease(
        _ answer: StoreAnswer, part number: PartNumber, _ context: inout GatewayContext
    ) {
        guard let part = parts[number] else { return }
        guard case .object(let object) = answer else {
            dropPart(number, &context)
            if case .failed(let failure) = answer, failure.endsSession {
                return fail(failure.refusal(in: .session), &context)
            }
            return reportPart(number, answer.refusal(in: .part), to: part.owner, &context)
        }
        guard !ends(with: object, content: .wholeDigest(part.offer.digest), &context) else { return }
        parts[number]?.looked()
        release(number, &context)
    }
}
