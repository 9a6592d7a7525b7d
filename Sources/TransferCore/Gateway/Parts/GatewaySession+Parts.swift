import TransferCommon
import WireProtocol

// Offers, data and credit (specification §7).

extension GatewaySession {
    /// Called by the gateway for PART OFFER in a slot that is opening, resuming, open or completing.
    ///
    /// - Returns: the violation that ends the connection, or `nil`.
    mutating func receivedOffer(
        _ offer: PartOffer, from attachment: Attachment, _ context: inout GatewayContext
    ) -> Violation? {
        let number = offer.part
        attached[attachment]?.offered(number)
        if let slot = attached[attachment] {
            // Held decisions take memory that no budget counts, so their number is bounded.
            guard slot.heldCount < context.limits.heldDecisionsMax else {
                let message = "more than \(context.limits.heldDecisionsMax) offers before the session was open"
                let refusal = SessionRefused(.busy, retryAfter: context.limits.laterAdvice, message: message)
                answer(attachment, slot.refusing(refusal), &context)
                return nil
            }
        }
        switch judge(offer, context) {
        case .fits: break
        case .wrong(let reason): return .offer(offer, reason)
        case .beyond:
            decide(number, .no(code: .sizeUnsupported), for: attachment, &context)
            return nil
        }
        let isSame = parts[number]?.isSame(as: offer) == true
        // COMPLETE refers to the offer before it. A new offer makes COMPLETE void, unless the store has the last bytes
        // already.
        if !isSame || parts[number]?.tail != .released { voidCompletion(&context) }
        if isSame, parts[number]?.isUndecided == false {
            takeOver(number, from: attachment, &context)
            return nil
        }
        if parts[number] != nil { dropPart(number, &context) }
        let undecided = context.reservations.undecidedParts(on: attachment.connection)
        guard parts.count < context.limits.partsPerSessionMax, undecided < context.limits.undecidedPartsMax else {
            decide(number, .later(.busy, after: context.limits.laterAdvice), for: attachment, &context)
            return nil
        }
        if case .open = phase, let known = storedForm(of: offer) {
            decide(number, .have(etag: known.etag), for: attachment, &context)
            return nil
        }
        let flow = context.openFlow(
            size: offer.size, holdsLast: isOnePart, for: FlowOwner(session: id, part: number))
        parts[number] = IncomingPart(offer: offer, owner: attachment, flow: flow, holdsTail: isOnePart)
        context.reservations.offered(on: attachment.connection)
        if case .open = phase { decideWaitingPart(number, &context) }
        return nil
    }

    private mutating func judge(_ offer: PartOffer, _ context: GatewayContext) -> StreamExtent.OnOffer {
        guard let partCount = plan.partCount else {
            let rule = context.limits(of: device.fingerprint).grantedParts
            return extent.offered(offer, partBytes: plan.partBytes, rule: rule)
        }
        let fits = plan.bytes(of: offer.part) == offer.size && offer.isLast == (offer.part.value == partCount)
        return fits ? .fits : .wrong("the session has \(partCount) parts of \(plan.partBytes) bytes or the rest")
    }

    /// The stored part that the offer names, if any.
    private mutating func storedForm(of offer: PartOffer) -> PartListEntry? {
        isOnePart ? nil : stored.form(of: offer)
    }

    /// The part continues in another slot, after the bytes that have arrived.
    mutating func takeOver(_ number: PartNumber, from attachment: Attachment, _ context: inout GatewayContext) {
        guard var part = parts[number] else { return }
        part.takenOver(by: attachment)
        parts[number] = part
        decide(number, .send(offset: part.received, limit: part.limit), for: attachment, &context)
    }

    /// Decides the parts that were offered while the session was opening.
    mutating func decideWaitingParts(_ context: inout GatewayContext) {
        for number in parts.numbers(where: \.isUndecided) {
            if let offer = parts[number]?.offer, let owner = parts[number]?.owner, let known = storedForm(of: offer) {
                dropPart(number, &context)
                decide(number, .have(etag: known.etag), for: owner, &context)
            } else {
                decideWaitingPart(number, &context)
            }
        }
    }

    private mutating func decideWaitingPart(_ number: PartNumber, _ context: inout GatewayContext) {
        guard var part = parts[number], let owner = part.owner else { return }
        var firstBytes = UInt64.max
        switch context.partAdmission() {
        case .admitted(let isCautious): if isCautious { firstBytes = context.limits.breaker.cautiousBytes }
        case .later(let code, let delay): return deferPart(number, code, after: delay, owner, &context)
        }
        let wanted = part.bytesNeeded(window: context.limits(of: device.fingerprint).partWindowBytes)
        guard context.reserve(wanted, device: device.fingerprint) else {
            return deferPart(number, .busy, after: context.limits.laterAdvice, owner, &context)
        }
        context.reservations.decided(on: owner.connection, received: part.received)
        let bytes = PartBytes(flow: part.flow, size: part.offer.size, digest: part.offer.digest, md5: part.offer.md5)
        let request = context.request(storeRequest(for: number, bytes), for: id)
        context.partBegan(request)
        part.decided(call: request, condition: writeGuard.putCondition, reserved: wanted, bytesFirst: firstBytes)
        parts[number] = part
        decide(number, .send(offset: part.received, limit: part.limit), for: owner, &context)
        releaseIfComplete(&context)
    }

    private mutating func deferPart(
        _ number: PartNumber, _ code: ErrorCode, after delay: Duration, _ owner: Attachment,
        _ context: inout GatewayContext
    ) {
        dropPart(number, &context)
        voidCompletion(&context)
        decide(number, .later(code, after: delay), for: owner, &context)
    }

    private func storeRequest(for number: PartNumber, _ bytes: PartBytes) -> StoreRequest {
        guard let upload = facts.upload, !isOnePart else {
            return .storeObject(key: facts.key, label: facts.label, bytes: bytes, condition: writeGuard.putCondition)
        }
        return .storePart(key: facts.key, upload: upload, part: number, bytes: bytes)
    }

    /// Sends a decision. A slot that is opening or resuming gets it after the answer to SESSION OPEN or RESUME QUERY.
    mutating func decide(
        _ number: PartNumber, _ decision: PartDecision.Decision, for attachment: Attachment,
        _ context: inout GatewayContext
    ) {
        let decision = PartDecision(part: number, decision: decision)
        if attached[attachment]?.hold(decision) == true { return }
        context.send(.partDecision(decision), to: attachment)
    }

    // MARK: Data

    /// Called by the gateway for the header of PART DATA in a slot that is opening, resuming, open or completing.
    mutating func receivedData(
        _ header: PartDataHeader, from attachment: Attachment, creditBytes: UInt32, _ context: inout GatewayContext
    ) -> Result<OnPartData, Violation> {
        guard var part = parts[header.part], part.owner == attachment else { return .success(.discard) }
        let undecided = context.reservations.undecidedBytes(on: attachment.connection)
        let result = part.receivedData(header, creditBytes: UInt64(creditBytes), undecidedBytes: undecided)
        parts[header.part] = part
        switch result {
        case .accept(let skip): return .success(.accept(part.flow, skip: skip))
        case .discard: return .success(.discard)
        case .violation(let code, let reason): return .failure(.data(header, code, reason))
        }
    }

    /// Called by the gateway before plain bytes of an accepted chunk go to their flow.
    ///
    /// - Returns: whether the bytes may be appended; `false` if the part was taken over or dropped while the chunk was
    ///   arriving.
    mutating func receivedBytes(
        _ count: UInt64, of number: PartNumber, flow: FlowID, connection: ConnectionID,
        _ context: inout GatewayContext
    ) -> Bool {
        guard var part = parts[number], part.flow == flow,
            let owner = part.owner, owner.connection == connection, part.receivedBytes(count)
        else { return false }
        parts[number] = part
        if part.isUndecided { context.reservations.receivedUndecided(count, on: connection) }
        if part.isWhole, !part.isUndecided { sendReceived(part, to: owner, &context) }
        return true
    }

    /// Called by the gateway when the call to the store has taken bytes of a flow; `total` counts from the beginning of
    /// the flow.
    mutating func consumed(_ total: UInt64, of number: PartNumber, flow: FlowID, _ context: inout GatewayContext) {
        guard var part = parts[number], part.flow == flow else { return }
        let window = context.limits(of: device.fingerprint).partWindowBytes
        let result = part.consumed(total, heldBytesMax: context.limits.heldPartBytesMax, window: window)
        guard let result else { return }
        parts[number] = part
        if let call = result.handedOver { context.pace.handedOver(call, now: context.now) }
        context.reservations.release(result.bytesReleased, device: device.fingerprint)
        if result.isLimitRaised, let owner = part.owner { sendReceived(part, to: owner, &context) }
    }

    private func sendReceived(_ part: IncomingPart, to owner: Attachment, _ context: inout GatewayContext) {
        let received = Received(part: part.offer.part, received: part.received, limit: part.limit)
        context.send(.received(received), to: owner)
    }

    // MARK: The store's answer

    mutating func receivedPartAnswer(_ answer: StoreAnswer, part number: PartNumber, _ context: inout GatewayContext) {
        guard let part = parts[number] else { return }
        switch answer {
        case .partStored(let etag):
            let entry = PartListEntry(part: number, size: part.offer.size, digest: part.offer.digest, etag: etag)
            stored.confirmed(entry)
            removePart(number, &context)
            if let owner = part.owner { context.send(.stored(Stored(part: number, etag: etag)), to: owner) }
        case .objectStored(let receipt):
            removePart(number, &context)
            // The store has all bytes of the part, and the gateway or the store has compared their digest.
            settle(
                receipt.proven(by: .wholeDigest(part.offer.digest), isVerified: true), bytes: part.offer.size, &context)
        case .failed(.uploadUnknown):
            let isPatient = mayBeCompletedElsewhere
            removePart(number, &context)
            search(.uploadUnknown, isPatient: isPatient, &context)
        case .failed(.keyTaken) where isOnePart, .failed(.objectGone) where isOnePart:
            // The object may be the session's own: an earlier request may have made it, and the answer may be lost.
            searchForOnePart(part, .conditionFailed, &context)
        case .failed(.conflict) where isOnePart:
            searchForOnePart(part, .conflict, &context)
        case .failed(.outcomeUnknown) where isOnePart:
            removePart(number, &context)
            reportPart(number, StoreFailure.unavailable(retryAfter: .zero).refusal(in: .part), to: part.owner, &context)
        case .failed(let failure):
            removePart(number, &context)
            if failure.endsSession {
                fail(failure.refusal(in: .session), &context)
            } else {
                reportPart(number, failure.refusal(in: .part), to: part.owner, &context)
            }
        default:
            removePart(number, &context)
            reportPart(number, answer.refusal(in: .part), to: part.owner, &context)
        }
    }

    private mutating func searchForOnePart(
        _ part: IncomingPart, _ cause: ObjectSearch.Cause, _ context: inout GatewayContext
    ) {
        removePart(part.offer.part, &context)
        search(
            cause, retry: .onePart(owner: part.owner), content: .wholeDigest(part.offer.digest), &context)
    }

    /// Reports a failed part in the slot in which the part was offered last.
    mutating func reportPart(
        _ number: PartNumber, _ refusal: SessionRefused, to owner: Attachment?, _ context: inout GatewayContext
    ) {
        voidCompletion(&context)
        guard let owner, attached[owner] != nil else { return }
        let refusal = context.advised(refusal)
        let report = ErrorReport(
            scope: .part(number), code: refusal.code, retryAfterMilliseconds: refusal.retryAfterMilliseconds,
            message: refusal.message)
        context.send(.error(report), to: owner)
    }

    /// Called by the gateway for a part that waits far longer for the store's answer than others. The agent sends the
    /// part again, and the gateway passes it to the store on another connection. Both requests carry the same bytes, so
    /// it does no harm if the first one still takes effect.
    mutating func repeatSlowPart(_ request: StoreRequestID, _ context: inout GatewayContext) {
        guard !isOnePart, let number = parts.number(ofCall: request),
            let owner = parts[number]?.owner
        else { return }
        dropPart(number, &context)
        reportPart(number, SessionRefused(.partInterrupted, message: "the store is slow with it"), to: owner, &context)
    }

    // MARK: The end of a part

    /// Gives a part up. Its flow ends, and so does the call to the store that reads from the flow.
    mutating func dropPart(_ number: PartNumber, _ context: inout GatewayContext) {
        guard let part = parts[number] else { return }
        if let request = part.sending?.call {
            context.actions.append(.cancel(request))
            context.breaker.abandoned(request, now: context.now)
            givenUp[request] = part.offer.digest
        }
        removePart(number, &context)
    }

    mutating func dropAllParts(_ context: inout GatewayContext) {
        for number in parts.numbers() { dropPart(number, &context) }
    }

    /// Returns the credit, the budget and the flow of a part; no other method does.
    private mutating func removePart(_ number: PartNumber, _ context: inout GatewayContext) {
        guard let part = parts[number] else { return }
        parts[number] = nil
        if part.isUndecided, let owner = part.owner {
            context.reservations.decided(on: owner.connection, received: part.received)
        }
        context.reservations.release(part.bytesReserved, device: device.fingerprint)
        context.dropFlow(part.flow)
    }
}

extension StoreFailure {
    /// Whether sending the part again in this session cannot succeed.
    var endsSession: Bool {
        switch self {
        case .denied, .bucketMissing, .keyTaken, .keyUnsupported, .refused: true
        case .uploadUnknown, .unavailable, .outcomeUnknown, .full, .digestMismatch, .partsInvalid, .cancelled,
            .objectGone, .conflict:
            false
        }
    }
}

extension PartDecision.Decision {
    static func later(_ code: ErrorCode, after delay: Duration) -> PartDecision.Decision {
        .later(code: code, retryAfterMilliseconds: delay.wireMilliseconds)
    }
}
