import TransferCommon
import WireProtocol

// Reading objects back where nothing else tells their content: for SESSION OPEN (specification §6.3), and for PROVE
// (§9.6).

extension Gateway {
    /// Whether an answer waits until the object that it names has been read: the session needs the content, and the
    /// store keeps nothing of it. Sessions are bounded, and so is what waits for them here.
    mutating func readsBack(_ answer: StoreAnswer, to request: StoreRequestID, of id: SessionID) -> Bool {
        guard case .object(let object?) = answer, let session = sessions[id], session.awaitsLook(request),
            session.writeGuard.needsContent(of: object)
        else { return false }
        readBacks.add(
            ReadBackQueue.Reading(
                reader: .session(id, look: request), device: session.device.fingerprint, key: session.facts.key,
                size: object.size, partBytes: session.plan.partBytes))
        return true
    }

    /// Begins as many readings as may be under way, and cancels those whose session or PROVE has ended; called after
    /// every event.
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
            // The memory comes back with parts and readings that end, and each of these is an event.
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

    /// A session that is still there waits for one answer to each request.
    private mutating func answerAbandoned(_ reader: ReadBackQueue.Reader) {
        guard case .session(let id, let look) = reader else { return }
        deliver(.failed(.cancelled), to: look, of: id)
    }

    mutating func receivedReadBack(_ answer: StoreAnswer, to request: StoreRequestID) {
        guard let ended = readBacks.ended(request) else { return }
        context.budget.release(ended.reserved, device: ended.device)
        switch ended.reader {
        // An abandoned reading may have ended well all the same.
        case .session(let id, let look): deliver(ended.isAbandoned ? .failed(.cancelled) : answer, to: look, of: id)
        case .prove(let attachment): receivedContent(answer, at: attachment)
        case nil: break
        }
    }
}
