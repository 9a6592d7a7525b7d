import TransferCommon
import WireProtocol

// How the gateway handles frames in the slots of an open connection (specification §6).

extension Gateway {
    mutating func receivedFrame(_ frame: Frame, at attachment: Attachment, device: AuthorisedDevice) {
        let id = attachment.connection
        guard attachment.slot.value <= context.limits.slotsMax else {
            // An ERROR is never answered with an ERROR.
            if case .error = frame { return }
            return end(id, .badSlot, "slot \(attachment.slot), at most \(context.limits.slotsMax)")
        }
        switch frame {
        case .ping(let ping):
            context.actions.append(.send(id, .connection, .pong(Pong(nonce: ping.nonce))))
        case .pong:
            break  // PONG only shows that the agent lives.
        case .report(let report):
            received(report, from: device)
        case .error(let report) where report.scope == .connection:
            close(id)  // The agent has ended the connection. Its code is for people who read logs.
        default:
            receivedSlotFrame(frame, at: attachment, device: device)
        }
    }

    private mutating func receivedSlotFrame(_ frame: Frame, at attachment: Attachment, device: AuthorisedDevice) {
        let id = attachment.connection
        // A second HELLO, or a frame that only gateways send.
        guard let kind = SlotState.Frame(frame) else {
            return end(id, .unexpectedFrame, "\(frame.type) has no meaning now")
        }
        let state = connections[id]?.slots.state(of: attachment.slot) ?? .closed
        switch state.effect(of: kind) {
        case .begin, .take, .hold, .judge:
            act(on: frame, at: attachment, device: device)
        case .leave:
            leaveSession(at: attachment)
            endProve(at: attachment)
            context.send(.sessionLeft(SessionLeft()), to: attachment)
        case .discard:
            break
        case .unexpectedFrame:
            end(id, .unexpectedFrame, state.objection(to: kind, in: attachment.slot))
        }
    }

    private mutating func act(on frame: Frame, at attachment: Attachment, device: AuthorisedDevice) {
        switch frame {
        case .sessionOpen(let open): receivedOpen(open, at: attachment, device: device)
        case .resumeQuery(let query): receivedResumeQuery(query, at: attachment, device: device)
        case .prove(let prove): receivedProve(prove, at: attachment, device: device)
        case .abort(let abort): receivedAbort(abort, at: attachment, device: device)
        case .partOffer(let offer): receivedOffer(offer, at: attachment)
        case .partList(let page): receivedPartList(page, at: attachment, device: device)
        case .complete(let complete): receivedComplete(complete, at: attachment)
        default: break  // `SlotState` acts on no other frame.
        }
    }

    private mutating func turn(
        _ attachment: Attachment, to session: SessionID, _ stage: SessionSlot.Stage
    ) {
        self[attachment] = SessionSlot(session: session, stage: stage)
    }

    mutating func refuse(
        _ code: ErrorCode, _ message: String, retryAfter: Duration = .zero, at attachment: Attachment
    ) {
        refuse(SessionRefused(code, retryAfter: retryAfter, message: message), at: attachment)
    }

    private mutating func refuse(_ refusal: SessionRefused, at attachment: Attachment) {
        closeSlot(attachment)
        context.send(.sessionRefused(refusal), to: attachment)
        context.actions.append(.note(.refused(attachment.connection, refusal.code)))
    }

    /// The gateway has no room for a session or a list.
    mutating func refuseForRoom(at attachment: Attachment) {
        refuse(
            .busy, "the gateway has no room for it now", retryAfter: context.limits.laterAdvice, at: attachment)
    }

    /// Counts the beginning of a use of a slot. Refuses the slot if the device has exceeded its rate of beginnings.
    mutating func mayBegin(at attachment: Attachment, device: AuthorisedDevice) -> Bool {
        let wait = context.devices.countBeginning(of: device.fingerprint, limits, now: context.now)
        guard let wait else { return true }
        refuse(.busy, "the device has begun too much that came to nothing", retryAfter: wait, at: attachment)
        return false
    }

    // MARK: SESSION OPEN

    private mutating func receivedOpen(_ open: SessionOpen, at attachment: Attachment, device: AuthorisedDevice) {
        guard drainDeadline == nil else { return refuse(.draining, Self.drainMessage, at: attachment) }
        guard mayBegin(at: attachment, device: device) else { return }
        let facts: SessionRecordFacts
        let plan: PartPlan
        switch openingRule(for: device).judge(open) {
        case .agreed(let agreed, let cut): (facts, plan) = (agreed, cut)
        case .refused(let refusal): return refuse(refusal, at: attachment)
        }
        if open.asksForReceipt { context.slotsWithReceipt.insert(attachment) }
        if let known = sessions[open.session] {
            guard known.device.name == device.name, known.facts.terms == facts.terms else {
                return refuse(.superseded, "the session has other terms, or is another device's", at: attachment)
            }
            return attach(attachment, to: open.session, stage: .opening, asks: .open)
        }
        if let refusal = context.breaker.openingRefusal(now: context.now) {
            let message = refusal.cause == .full ? "the store is full" : "the store is not available"
            return refuse(refusal.cause.code, message, retryAfter: refusal.retryAfter, at: attachment)
        }
        guard makeRoom(for: device) else {
            return refuseForRoom(at: attachment)
        }
        sessions.add(GatewaySession(device: device, facts: facts, plan: plan, compares: open.compares))
        attach(attachment, to: open.session, stage: .opening, asks: .open)
    }

    /// Attaches a slot to a session. A new session begins with its first slot.
    private mutating func attach(
        _ attachment: Attachment, to id: SessionID, stage: SessionSlot.Stage,
        asks question: AttachedSlot.Question
    ) {
        if self[attachment]?.session == id {
            self[attachment]?.stage = stage
        } else {
            turn(attachment, to: id, stage)
        }
        let isNew = sessions[id]?.phase == .new
        sessions[id]?.attach(attachment, asks: question, &context)
        if isNew {
            if stage == .opening { sessions[id]?.beginOpening(&context) } else { sessions[id]?.beginResuming(&context) }
        }
        settleSlots()
        tidy(id)
    }

    // MARK: RESUME QUERY

    private mutating func receivedResumeQuery(
        _ query: ResumeQuery, at attachment: Attachment, device: AuthorisedDevice
    ) {
        guard drainDeadline == nil else { return refuse(.draining, Self.drainMessage, at: attachment) }
        let partsMax = context.limits(of: device.fingerprint).grantedParts.partsMax
        guard query.listedParts <= partsMax else {
            return end(
                attachment.connection, .badValue,
                "RESUME QUERY: listedParts \(query.listedParts), at most \(partsMax)")
        }
        guard mayBegin(at: attachment, device: device) else { return }
        guard let token = opened(query.token, at: attachment, device: device) else { return }
        guard reserveList(count: query.listedParts, device: device) else {
            return refuseForRoom(at: attachment)
        }
        let asksForPartials = query.asksForPartials
        turn(attachment, to: token.session, .listing(token: token, asksForPartials: asksForPartials))
        if query.asksForReceipt { context.slotsWithReceipt.insert(attachment) }
        self[attachment]?.list = ListIntake(announced: query.listedParts)
        guard query.listedParts == 0 else { return }
        resume(token, asksForPartials: asksForPartials, at: attachment, device: device)
    }

    private func openingRule(for device: AuthorisedDevice) -> OpeningRule {
        OpeningRule(device: device, parts: context.limits(of: device.fingerprint).grantedParts)
    }

    /// Opens and judges a token; refuses the slot if the token does not pass.
    private mutating func opened(
        _ sealed: [UInt8], at attachment: Attachment, device: AuthorisedDevice
    ) -> SessionToken? {
        let opening = context.cryptography.open(token: sealed)
        switch openingRule(for: device).judge(opening, owner: { sessions[$0]?.device.name }) {
        case .agreed(let token): return token
        case .refused(let refusal):
            refuse(refusal, at: attachment)
            return nil
        }
    }

    /// RESUME QUERY and all pages of its list have arrived.
    mutating func resume(
        _ token: SessionToken, asksForPartials: Bool, at attachment: Attachment, device: AuthorisedDevice
    ) {
        let listed = self[attachment]?.list.takeAnnounced() ?? []
        let question = AttachedSlot.Question.resume(listed: listed, asksForPartials: asksForPartials)
        if sessions[token.session] != nil {
            return attach(attachment, to: token.session, stage: .resuming, asks: question)
        }
        guard makeRoom(for: device), let session = session(of: token, device: device) else {
            return refuseForRoom(at: attachment)
        }
        sessions.add(session)
        attach(attachment, to: token.session, stage: .resuming, asks: question)
    }

    private func session(of token: SessionToken, device: AuthorisedDevice) -> GatewaySession? {
        guard let plan = PartPlan(fileBytes: token.terms.size, partBytes: token.terms.partBytes) else { return nil }
        let facts = SessionRecordFacts(
            device: device.name, session: token.session, terms: token.terms,
            upload: token.upload.isEmpty ? nil : token.upload)
        // `compares` is false because only SESSION OPEN can announce that the agent compares.
        return GatewaySession(device: device, facts: facts, plan: plan, compares: false)
    }

    // MARK: PART OFFER, PART LIST, COMPLETE

    private mutating func receivedOffer(_ offer: PartOffer, at attachment: Attachment) {
        guard let session = self[attachment]?.session else { return }
        if let violation = sessions[session]?.receivedOffer(offer, from: attachment, &context) {
            end(attachment.connection, violation.code, violation.message)
        }
        settleSlots()
    }

    private mutating func receivedComplete(_ complete: Complete, at attachment: Attachment) {
        guard let session = self[attachment]?.session else { return }
        let list = self[attachment]?.list.takeWhole()
        sessions[session]?.receivedComplete(complete, list: list, from: attachment, &context)
        settleSlots()
        tidy(session)
    }

    mutating func leaveSession(at attachment: Attachment) {
        guard let use = self[attachment] else { return }
        sessions[use.session]?.intake.leave(attachment, &context)
        closeSlot(attachment)
        tidy(use.session)
    }

    // MARK: ABORT

    private mutating func receivedAbort(_ abort: Abort, at attachment: Attachment, device: AuthorisedDevice) {
        guard mayBegin(at: attachment, device: device) else { return }
        guard let token = opened(abort.token, at: attachment, device: device) else { return }
        if sessions[token.session] == nil {
            guard makeRoom(for: device), let session = session(of: token, device: device) else {
                return refuseForRoom(at: attachment)
            }
            sessions.add(session)
        }
        turn(attachment, to: token.session, .aborting)
        sessions[token.session]?.receivedAbort(from: attachment, &context)
        settleSlots()
        tidy(token.session)
    }
}
