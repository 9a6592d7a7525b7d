import TransferCommon
import WireProtocol

/// The sessions and PROVEs of a gateway, and the slots that carry them. `Gateway` passes frames, data and answers of
/// the store to this machine, and ends a connection for each violation that the machine returns.
///
/// Sessions request changes of their slots while they handle an event; `settle` applies these changes after the event.
struct GatewayTransfers: Hashable {
    var slots = SlotTable()
    var sessions = SessionTable()
    var checks = ContentChecks()
    var progress = ProgressCheck()

    // MARK: Connections

    /// Frees the slots of a connection that has ended.
    mutating func connectionLost(_ id: ConnectionID, _ context: inout GatewayContext) {
        let inUse = slots.inUse(on: id)
        for attachment in inUse { leaveProve(at: attachment, &context) }
        context.slotsWithReceipt.subtract(inUse)
        for attachment in inUse {
            guard let session = slots[attachment]?.session else { continue }
            sessions[session]?.intake.connectionLost(id, &context)
            tidy(session, &context)
            slots.releaseList(at: attachment, &context)
        }
        context.endAnswers(on: id)
        slots.connectionLost(id)
    }

    private mutating func leaveProve(at attachment: Attachment, _ context: inout GatewayContext) {
        if checks.endProve(at: attachment, &context) { slots.endProve(at: attachment) }
    }

    // MARK: Frames and data

    /// Handles a frame in a slot of an open connection; returns the violation that ends the connection, if any.
    mutating func received(
        _ frame: Frame, at attachment: Attachment, of device: AuthorisedDevice, _ context: inout GatewayContext
    ) -> Violation? {
        // The frame is a second HELLO, or one that only gateways send.
        guard let kind = SlotState.Frame(frame) else {
            return Violation(code: .unexpectedFrame, message: "\(frame.type) has no meaning now")
        }
        let state = slots.state(of: attachment)
        switch state.effect(of: kind) {
        case .begin, .take, .hold, .judge:
            return act(on: frame, at: attachment, of: device, &context)
        case .leave:
            leaveSession(at: attachment, &context)
            leaveProve(at: attachment, &context)
            context.send(.sessionLeft(SessionLeft()), to: attachment)
            return nil
        case .discard:
            return nil
        case .unexpectedFrame:
            return Violation(code: .unexpectedFrame, message: state.objection(to: kind, in: attachment.slot))
        }
    }

    /// Judges the header of PART DATA that has arrived in a slot of an open connection.
    mutating func receivedData(
        _ header: PartDataHeader, at attachment: Attachment, creditBytes: UInt32, _ context: inout GatewayContext
    ) -> Result<OnPartData, Violation> {
        let slot = slots[attachment]
        let state = slot?.stage.state ?? slots.state(of: attachment)
        guard state.effect(of: .partData) != .unexpectedFrame else {
            let message = state.objection(to: .partData, in: attachment.slot)
            return .failure(Violation(code: .unexpectedFrame, message: message))
        }
        guard let session = slot?.session else { return .success(.discard) }
        let undecided = context.reservations.undecidedBytes(on: attachment.connection)
        let result = sessions[session]?.intake.parts.receivedData(
            header, from: attachment, creditBytes: UInt64(creditBytes), undecidedBytes: undecided)
        return result ?? .success(.discard)
    }

    // MARK: The store

    mutating func storeAnswered(
        _ request: StoreRequestID, _ answer: StoreAnswer, _ context: inout GatewayContext
    ) {
        let isDoubtful = isDoubtful(answer, to: request, context)
        context.reservations.answered(request)
        guard let owner = context.answered(request, answer, isDoubtful: isDoubtful) else { return }
        let answer = answer.sanitised
        switch owner {
        case .session(let id, _):
            if case .object(let object?) = answer, checks.holdsBack(object, to: request, of: sessions[id]) {
                tidy(id, &context)
            } else {
                deliver(answer, to: request, of: id, &context)
            }
        case .prove(let attachment, _):
            let result = checks.receivedLookUp(answer, to: request, at: attachment, &context)
            if let result { endProve(at: attachment, result, &context) }
        case .readBack:
            for result in checks.receivedObject(answer, to: request, &context) {
                switch result {
                case .session(let id, let look, let answer): deliver(answer, to: look, of: id, &context)
                case .prove(let attachment, let result): endProve(at: attachment, result, &context)
                }
            }
        case .renewal(let session, let device):
            context.renewalAnswered(session, of: device)
        }
        settle(&context)
    }

    /// Whether an answer may show only that the upload of one session is gone, and not that the store fails.
    private func isDoubtful(_ answer: StoreAnswer, to request: StoreRequestID, _ context: GatewayContext) -> Bool {
        guard case .failed(let error) = answer, error.isLoss, case .session(let id, _) = context.requestOwners[request]
        else { return false }
        return sessions[id]?.isDoubtful(request) ?? false
    }

    /// Passes an answer of the store to a session.
    mutating func deliver(
        _ answer: StoreAnswer, to request: StoreRequestID, of id: SessionID, _ context: inout GatewayContext
    ) {
        sessions.receivedAnswer(answer, to: request, of: id, &context)
        if let (adopted, moved) = sessions.adoptIfFound(by: id, &context) {
            for attachment in moved { slots[attachment]?.session = adopted }
            settle(&context)
            tidy(adopted, &context)
        }
        settle(&context)
        tidy(id, &context)
    }

    /// Sends further pages of lists of stored parts, because earlier ones have been written to the socket.
    mutating func written(_ bytes: UInt64, on id: ConnectionID, _ context: inout GatewayContext) {
        context.pagesWritten(bytes, on: id) { stored(at: $0) }
        settle(&context)
    }

    private func stored(at attachment: Attachment) -> StoredParts? {
        slots[attachment].flatMap { sessions[$0.session]?.intake.parts.stored }
    }

    // MARK: After an event

    /// Performs what sessions have postponed to the end of the event: applies their changes of slots, begins to read
    /// objects back, and sends waiting pages. If the budget is too full for a part, also evicts a slow part.
    mutating func settle(_ context: inout GatewayContext) {
        for change in context.slotChanges { slots.apply(change, &context) }
        context.slotChanges = []
        for reader in context.unneededReads { checks.leave(reader, &context) }
        context.unneededReads = []
        checks.beginReading(&context)
        context.sendWaitingPages { stored(at: $0) }
        if context.reservations.state == .short { makeRoomForParts(&context) }
        context.reservations.madeRoom()
    }

    /// Called after each event that may have changed a session: forgets the session, or plans its next deadline.
    mutating func tidy(_ id: SessionID, _ context: inout GatewayContext) {
        if let request = sessions[id]?.abandonedRequest {
            let wasReading = sessions[id]?.isOnePart == false && checks.leave(.session(id, look: request), &context)
            if wasReading || context.withdraw(request) { sessions[id]?.apply(.forget, &context) }
        }
        sessions.tidy(id, &context)
    }

    // MARK: Time

    /// Wakes the sessions that are due, ticks the circuit breaker, and repeats a part for which the store is slow.
    mutating func tick(_ context: inout GatewayContext) {
        for wake in sessions.takeDue(now: context.now) where sessions.take(wake) {
            sessions[wake.session]?.tick(&context)
            settle(&context)
            tidy(wake.session, &context)
        }
        context.tickBreaker()
        sessions.repeatSlowPart(&context)
    }

    // MARK: Progress

    /// Evicts the parts and lists that held memory and made no progress in a window (specification §7.4).
    /// `heardBytes`: bytes that arrived on each connection during the window.
    mutating func windowPassed(heardBytes: [ConnectionID: UInt64], _ context: inout GatewayContext) {
        let parts = sessions.measureParts(heldBytesMax: context.limits.heldPartBytesMax)
        let stagnant = progress.windowPassed(
            parts: parts, lists: slots.measureLists(), heardBytes: heardBytes, context.limits.progress,
            now: context.now)
        for part in stagnant.parts { sessions.evict(part, &context) }
        for list in stagnant.lists {
            guard let slot = slots[list.attachment] else { continue }
            _ = apply(slot.evictedList(context.limits), at: list.attachment, &context)
        }
        settle(&context)
    }

    private mutating func makeRoomForParts(_ context: inout GatewayContext) {
        while let slow = progress.nextSlowPart() {
            guard let part = sessions[slow.session]?.parts[slow.number], part.flow == slow.flow, !part.isWhole else {
                continue
            }
            return sessions.evict(slow, &context)
        }
    }
}
