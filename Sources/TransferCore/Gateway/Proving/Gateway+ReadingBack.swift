import TransferCommon
import WireProtocol

// Reading objects back if nothing else shows their content: for SESSION OPEN (specification §6.3), and for PROVE
// (§9.6).

extension Gateway {
    /// Holds back the answer to a look at the key until the object has been read, if the session needs the content and
    /// the store keeps no digest. The number of sessions is bounded, and so is the number of read-backs that wait for
    /// them.
    ///
    /// - Returns: whether the answer is held back.
    mutating func readsBack(_ answer: StoreAnswer, to request: StoreRequestID, of id: SessionID) -> Bool {
        guard case .object(let object?) = answer, let session = sessions[id], session.awaitsLook(request),
            session.needsContent(of: object)
        else { return false }
        readBacks.add(
            ReadBackQueue.Reading(
                reader: .session(id, look: request), device: session.device.fingerprint, key: session.facts.key,
                size: object.size, partBytes: session.plan.partBytes))
        return true
    }

    /// Called by `settleSlots`: begins as many readings as allowed, and cancels each reading whose session or PROVE has
    /// ended.
    mutating func beginReadBacks() {
        for (request, reader) in readBacks.awaited where !isAwaited(reader) {
            readBacks.abandon(request)
            context.actions.append(.cancel(request))
        }
        while let reading = readBacks.next(limits) {
            guard isAwaited(reading.reader) else {
                answerAbandoned(reading.reader)
                continue
            }
            let bytes = limits.readBackBytes
            // If there is no memory now, the reading waits. Memory is returned only when a part or a reading ends, and
            // `beginReadBacks` is called after each such event.
            guard context.reserve(bytes, device: reading.device) else { return readBacks.putBack(reading) }
            let request = context.request(
                .readObject(key: reading.key, size: reading.size, partBytes: reading.partBytes),
                for: .readBack(device: reading.device))
            readBacks.began(reading, request: request, reserved: bytes)
        }
    }

    private func isAwaited(_ reader: ReadBackQueue.Reader) -> Bool {
        switch reader {
        case .session(let id, let look): sessions[id].map { $0.awaitsLook(look) && !$0.isLookAbandoned } ?? false
        case .prove(let attachment): self[prove: attachment]?.phase == .reading
        }
    }

    /// A session waits for the answer to each of its requests. So a read-back that was abandoned before it began is
    /// answered, too.
    private mutating func answerAbandoned(_ reader: ReadBackQueue.Reader) {
        guard case .session(let id, let look) = reader else { return }
        deliver(.failed(.cancelled), to: look, of: id)
    }

    mutating func receivedReadBack(_ answer: StoreAnswer, to request: StoreRequestID) {
        guard let ended = readBacks.ended(request) else { return }
        context.reservations.release(ended.reserved, device: ended.device)
        switch ended.claim {
        case .awaited(.session(let id, let look)): deliver(answer, to: look, of: id)
        // The store may have answered before the cancellation reached it. The answer to an abandoned reading is dropped
        // in any case.
        case .abandoned(.session(let id, let look)): deliver(.failed(.cancelled), to: look, of: id)
        case .awaited(.prove(let attachment)), .abandoned(.prove(let attachment)):
            receivedContent(answer, at: attachment)
        case .unclaimed: break
        }
    }
}
