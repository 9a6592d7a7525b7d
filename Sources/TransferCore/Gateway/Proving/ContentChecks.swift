import TransferCommon
import WireProtocol

/// The gateway's checks of the content of stored objects. The gateway answers PROVEs (specification §9.6), and reads an
/// object back if a PROVE or SESSION OPEN (§6.3) needs the content and nothing else shows it.
struct ContentChecks: Hashable {
    /// What the gateway does after a PROVE has ended with an answer.
    enum OnProve: Hashable {
        /// Close the slot of the PROVE.
        case answered
        /// Close the slot of the PROVE with a refusal.
        case refused(SessionRefused)
    }

    /// What the gateway does after an object has been read back.
    enum OnRead: Hashable {
        /// Pass the answer to the session that has looked up the object.
        case session(SessionID, look: StoreRequestID, StoreAnswer)
        case prove(Attachment, OnProve)
    }

    private var proves = ProveTable()
    private var readBacks = ReadBackQueue()

    /// Bytes of the budget that reading back holds, for each reading's device.
    var bytesReserved: [(device: SHA256Digest, bytes: UInt64)] { readBacks.bytesReserved }

    // MARK: PROVE

    /// PROVE has arrived.
    ///
    /// - Returns: the refusal; `nil` if the slot carries the PROVE from now on.
    mutating func received(
        _ prove: Prove, at attachment: Attachment, of device: AuthorisedDevice, _ context: inout GatewayContext
    ) -> SessionRefused? {
        proves.received(prove, at: attachment, of: device, &context)
    }

    /// The store has looked up the object of a PROVE.
    ///
    /// - Returns: `nil` unless the PROVE has ended.
    mutating func receivedLookUp(
        _ answer: StoreAnswer, to request: StoreRequestID, at attachment: Attachment, _ context: inout GatewayContext
    ) -> OnProve? {
        guard proves.awaits(request, at: attachment) else { return nil }
        return received(answer, at: attachment, &context)
    }

    private mutating func received(
        _ answer: StoreAnswer, at attachment: Attachment, _ context: inout GatewayContext
    ) -> OnProve? {
        switch proves.received(answer, at: attachment, &context) {
        case nil: return nil
        case .answered: return .answered
        case .refused(let refusal): return .refused(refusal)
        case .readBack(let reading):
            readBacks.add(reading)
            return nil
        }
    }

    /// The slot is left or its connection has ended: no answer is sent, and the request to the store is cancelled.
    ///
    /// - Returns: whether the slot carried a PROVE.
    mutating func endProve(at attachment: Attachment, _ context: inout GatewayContext) -> Bool {
        guard let prove = proves.end(at: attachment) else { return false }
        switch prove.phase {
        case .lookingUp(let request):
            context.actions.append(.cancel(request))
        case .reading:
            let request = readBacks.remove(.prove(attachment), device: prove.device.fingerprint)
            if let request { context.actions.append(.cancel(request)) }
        }
        return true
    }

    // MARK: Reading back

    /// A look of a session has found an object. Holds back the answer until the object has been read, if the session
    /// needs the content and the store keeps no digest. The number of sessions is bounded, and so is the number of
    /// read-backs that wait for them.
    ///
    /// - Returns: whether the answer is held back.
    mutating func holdsBack(_ object: ObjectSummary, to request: StoreRequestID, of session: GatewaySession?) -> Bool {
        guard let session, session.awaitsLook(request), session.needsContent(of: object) else {
            return false
        }
        readBacks.add(
            ReadBackQueue.Reading(
                reader: .session(session.id, look: request), device: session.device.fingerprint,
                key: session.facts.key, size: object.size, partBytes: session.plan.partBytes))
        return true
    }

    /// Begins as many readings as allowed, and cancels each reading whose session or PROVE no longer waits for it.
    ///
    /// - Returns: a session that has stopped waiting before its reading began, and the look that is not answered. The
    ///   caller answers it, because a session waits for the answer to each of its requests, and calls this method
    ///   again. `nil` if no further reading can begin.
    mutating func beginReading(
        for sessions: SessionTable, _ context: inout GatewayContext
    ) -> (session: SessionID, look: StoreRequestID)? {
        while let reader = readBacks.begin(for: sessions, proves, &context) {
            if case .session(let id, let look) = reader { return (id, look) }
        }
        return nil
    }

    /// The store has read an object.
    ///
    /// - Returns: `nil` if nothing waits for the object any more, or if its PROVE has not ended.
    mutating func receivedObject(
        _ answer: StoreAnswer, to request: StoreRequestID, _ context: inout GatewayContext
    ) -> OnRead? {
        guard let ended = readBacks.ended(request) else { return nil }
        context.reservations.release(ended.reserved, device: ended.device)
        switch ended.claim {
        case .awaited(.session(let id, let look)): return .session(id, look: look, answer)
        // The store may have answered before the cancellation reached it. The answer to an abandoned reading is dropped
        // in any case.
        case .abandoned(.session(let id, let look)): return .session(id, look: look, .failed(.cancelled))
        case .awaited(.prove(let attachment)), .abandoned(.prove(let attachment)):
            return received(answer, at: attachment, &context).map { .prove(attachment, $0) }
        case .unclaimed: return nil
        }
    }
}
