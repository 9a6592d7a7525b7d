import TransferCommon
import WireProtocol

// How the gateway handles the frames in the slots of an open connection (specification §6).

extension GatewayTransfers {
    /// Acts on a frame that the slot's state allows; returns the violation that ends the connection, if any.
    mutating func act(
        on frame: Frame, at attachment: Attachment, of device: AuthorisedDevice, _ context: inout GatewayContext
    ) -> Violation? {
        switch frame {
        case .sessionOpen(let open): received(open, at: attachment, of: device, &context)
        case .resumeQuery(let query): return received(query, at: attachment, of: device, &context)
        case .prove(let prove): received(prove, at: attachment, of: device, &context)
        case .abort(let abort): received(abort, at: attachment, of: device, &context)
        case .partOffer(let offer): return received(offer, at: attachment, &context)
        case .partList(let page): return received(page, at: attachment, of: device, &context)
        case .complete(let complete): received(complete, at: attachment, &context)
        default: break  // `SlotState` acts on no other frame.
        }
        return nil
    }

    // MARK: Beginning

    private mutating func received(
        _ open: SessionOpen, at attachment: Attachment, of device: AuthorisedDevice, _ context: inout GatewayContext
    ) {
        guard context.drainDeadline == nil else { return slots.refuse(.draining, at: attachment, &context) }
        guard slots.mayBegin(at: attachment, of: device, &context) else { return }
        if open.asksForReceipt { context.slotsWithReceipt.insert(attachment) }
        if let refusal = sessions.open(open, by: device, &context) {
            return slots.refuse(refusal, at: attachment, &context)
        }
        attach(attachment, to: open.session, asks: .open, &context)
    }

    private mutating func attach(
        _ attachment: Attachment, to id: SessionID, asks question: AttachedSlot.Question,
        _ context: inout GatewayContext
    ) {
        slots.attach(attachment, to: id, stage: question == .open ? .opening : .resuming)
        sessions.attach(attachment, to: id, asks: question, &context)
        settle(&context)
        tidy(id, &context)
    }

    private mutating func received(
        _ query: ResumeQuery, at attachment: Attachment, of device: AuthorisedDevice, _ context: inout GatewayContext
    ) -> Violation? {
        guard context.drainDeadline == nil else {
            slots.refuse(.draining, at: attachment, &context)
            return nil
        }
        let partsMax = context.limits(of: device.fingerprint).grantedParts.partsMax
        guard query.listedParts <= partsMax else {
            let message = "RESUME QUERY: listedParts \(query.listedParts), at most \(partsMax)"
            return Violation(code: .badValue, message: message)
        }
        guard slots.mayBegin(at: attachment, of: device, &context),
            let token = opened(query.token, at: attachment, of: device, &context)
        else { return nil }
        let listBytes = ListIntake.bytes(announced: query.listedParts)
        guard context.reserve(listBytes, device: device.fingerprint) else {
            slots.refuse(.noRoom(context.limits), at: attachment, &context)
            return nil
        }
        let asksForPartials = query.asksForPartials
        slots[attachment] = SessionSlot(
            session: token.session, stage: .listing(token: token, asksForPartials: asksForPartials),
            list: ListIntake(announced: query.listedParts))
        if query.asksForReceipt { context.slotsWithReceipt.insert(attachment) }
        if query.listedParts == 0 {
            resume(token, asksForPartials: asksForPartials, at: attachment, of: device, &context)
        }
        return nil
    }

    private mutating func opened(
        _ sealed: [UInt8], at attachment: Attachment, of device: AuthorisedDevice, _ context: inout GatewayContext
    ) -> SessionToken? {
        switch sessions.judge(token: sealed, of: device, context) {
        case .agreed(let token): return token
        case .refused(let refusal):
            slots.refuse(refusal, at: attachment, &context)
            return nil
        }
    }

    private mutating func resume(
        _ token: SessionToken, asksForPartials: Bool, at attachment: Attachment, of device: AuthorisedDevice,
        _ context: inout GatewayContext
    ) {
        let listed = slots[attachment]?.list.takeAnnounced() ?? []
        guard sessions.restore(token, of: device, isForAbort: false, &context) else {
            return slots.refuse(.noRoom(context.limits), at: attachment, &context)
        }
        let question = AttachedSlot.Question.resume(listed: listed, asksForPartials: asksForPartials)
        attach(attachment, to: token.session, asks: question, &context)
    }

    private mutating func received(
        _ prove: Prove, at attachment: Attachment, of device: AuthorisedDevice, _ context: inout GatewayContext
    ) {
        guard context.drainDeadline == nil else { return slots.refuse(.draining, at: attachment, &context) }
        guard slots.mayBegin(at: attachment, of: device, &context) else { return }
        if let refusal = checks.received(prove, at: attachment, of: device, &context) {
            slots.refuse(refusal, at: attachment, &context)
        } else {
            slots.beginProve(at: attachment)
        }
    }

    /// Closes the slot of a PROVE that has ended with an answer.
    mutating func endProve(
        at attachment: Attachment, _ result: ContentChecks.OnProve, _ context: inout GatewayContext
    ) {
        slots.endProve(at: attachment)
        if case .refused(let refusal) = result { slots.refuse(refusal, at: attachment, &context) }
    }

    // MARK: In a session

    private mutating func received(
        _ offer: PartOffer, at attachment: Attachment, _ context: inout GatewayContext
    ) -> Violation? {
        guard let session = slots[attachment]?.session else { return nil }
        if let violation = sessions[session]?.receivedOffer(offer, from: attachment, &context) { return violation }
        settle(&context)
        // If the offer has closed the session's last slot, the gateway may have to forget the session.
        if sessions[session]?.attached.isEmpty == true { tidy(session, &context) }
        return nil
    }

    private mutating func received(
        _ page: PartList, at attachment: Attachment, of device: AuthorisedDevice, _ context: inout GatewayContext
    ) -> Violation? {
        // The parts of a one-part file are not listed (specification §9.2).
        if let slot = slots[attachment], slot.stage == .open, sessions[slot.session]?.isOnePart != false { return nil }
        guard let result = slots.received(page, at: attachment, of: device.fingerprint, &context) else { return nil }
        if case .listed(let token, let asksForPartials) = result {
            resume(token, asksForPartials: asksForPartials, at: attachment, of: device, &context)
        }
        return apply(result, at: attachment, &context)
    }

    /// Applies what a slot has decided about its list; returns the violation that ends the connection, if any.
    mutating func apply(
        _ result: SessionSlot.OnList, at attachment: Attachment, _ context: inout GatewayContext
    ) -> Violation? {
        switch result {
        case .wait, .listed: break
        case .violation(let violation): return violation
        case .refused(let refusal): slots.refuse(refusal, at: attachment, &context)
        case .deferred(let refusal):
            context.send(.error(refusal.asSessionError), to: attachment)
            leaveSession(at: attachment, &context)
        }
        return nil
    }

    private mutating func received(
        _ complete: Complete, at attachment: Attachment, _ context: inout GatewayContext
    ) {
        guard let session = slots[attachment]?.session else { return }
        let list = slots.takeList(at: attachment)
        sessions.receivedComplete(complete, list: list, of: session, from: attachment, &context)
        settle(&context)
        tidy(session, &context)
    }

    mutating func leaveSession(at attachment: Attachment, _ context: inout GatewayContext) {
        guard let session = slots[attachment]?.session else { return }
        sessions[session]?.intake.leave(attachment, &context)
        slots.close(attachment, &context)
        tidy(session, &context)
    }

    private mutating func received(
        _ abort: Abort, at attachment: Attachment, of device: AuthorisedDevice, _ context: inout GatewayContext
    ) {
        guard slots.mayBegin(at: attachment, of: device, &context),
            let token = opened(abort.token, at: attachment, of: device, &context)
        else { return }
        guard sessions.restore(token, of: device, isForAbort: true, &context) else {
            return slots.refuse(.noRoom(context.limits), at: attachment, &context)
        }
        slots[attachment] = SessionSlot(session: token.session, stage: .aborting)
        sessions.receivedAbort(of: token.session, from: attachment, &context)
        settle(&context)
        tidy(token.session, &context)
    }
}

extension SessionRefused {
    static let draining = SessionRefused(.draining, message: GatewayContext.drainMessage)
}
