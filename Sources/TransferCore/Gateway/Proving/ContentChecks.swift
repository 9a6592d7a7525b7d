import TransferCommon
import WireProtocol

/// The gateway's checks of the content of stored objects. The gateway answers PROVEs (specification §9.6), and reads an
/// object back if a PROVE or SESSION OPEN (§6.3) needs the content and nothing else shows it.
struct ContentChecks: Hashable {
    /// What the gateway does after a PROVE has ended with an answer.
    enum OnProve: Hashable {
        /// The gateway closes the slot of the PROVE.
        case answered
        /// The gateway closes the slot of the PROVE with a refusal.
        case refused(SessionRefused)
    }

    /// What the gateway does after an object has been read back.
    enum OnRead: Hashable {
        /// The gateway passes the answer to the session that has looked up the object.
        case session(SessionID, look: StoreRequestID, StoreAnswer)
        case prove(Attachment, OnProve)
    }

    private var proves = ProveTable()
    private var readBacks = ReadBackQueue()

    /// For each reading, its device and the bytes of the budget that the reading holds.
    var bytesReserved: [(device: SHA256Digest, bytes: UInt64)] { readBacks.bytesReserved }

    // MARK: PROVE

    /// Begins a PROVE; returns the refusal, or `nil` if the slot carries the PROVE from now on.
    mutating func received(
        _ prove: Prove, at attachment: Attachment, of device: AuthorisedDevice, _ context: inout GatewayContext
    ) -> SessionRefused? {
        proves.received(prove, at: attachment, of: device, &context)
    }

    /// Judges the look-up of a PROVE; returns how it has ended, or `nil` if it has not ended or awaits another answer.
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

    /// Drops a PROVE whose slot is left or whose connection has ended, and cancels its request to the store. Returns
    /// whether the slot carried a PROVE.
    mutating func endProve(at attachment: Attachment, _ context: inout GatewayContext) -> Bool {
        guard let prove = proves.end(at: attachment) else { return false }
        switch prove.phase {
        case .lookingUp(let request):
            context.cancel(request)
        case .reading:
            leave(.prove(attachment), &context)
        }
        return true
    }

    // MARK: Reading back

    /// Holds an answer back until the gateway has read the object, if the session needs the content and the store
    /// keeps no digest. Returns whether it does. Each session waits for one object at most, so the number of objects
    /// is bounded.
    mutating func holdsBack(_ object: ObjectSummary, to request: StoreRequestID, of session: GatewaySession?) -> Bool {
        guard let session, session.awaitsLook(request), session.needsContent(of: object) else {
            return false
        }
        let content = ReadBackQueue.Content(key: session.facts.key, object, partBytes: session.plan.partBytes)
        readBacks.add(
            ReadBackQueue.Reading(
                reader: .session(session.id, look: request), device: session.device.fingerprint, content: content))
        return true
    }

    /// Begins as many readings as allowed.
    mutating func beginReading(_ context: inout GatewayContext) {
        readBacks.begin(&context)
    }

    /// Removes a reader that no longer needs its object, and cancels the reading if no other reader needs it. Returns
    /// whether an object was to be read back for the reader.
    @discardableResult
    mutating func leave(_ reader: ReadBackQueue.Reader, _ context: inout GatewayContext) -> Bool {
        let (wasThere, cancelled) = readBacks.leave(reader)
        if let cancelled { context.cancel(cancelled) }
        return wasThere
    }

    /// The store has read an object: passes the result to each session and each PROVE that waits for it. Returns what
    /// the gateway does for each of them.
    mutating func receivedObject(
        _ answer: StoreAnswer, to request: StoreRequestID, _ context: inout GatewayContext
    ) -> [OnRead] {
        guard let (reading, readers) = readBacks.ended(request) else { return [] }
        context.reservations.release(reading.reserved, device: reading.device)
        return readers.compactMap { reader in
            switch reader {
            case .session(let id, let look): .session(id, look: look, answer)
            case .prove(let attachment): received(answer, at: attachment, &context).map { .prove(attachment, $0) }
            }
        }
    }
}
