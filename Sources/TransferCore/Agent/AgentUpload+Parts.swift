import TransferCommon
import WireProtocol

// Reading, offering and sending parts (specification §7).

extension AgentUpload {
    /// Called by the agent's scheduler while there is room for another part.
    ///
    /// - Returns: whether one was taken up.
    mutating func takeUpPart(_ context: inout AgentContext) -> Bool {
        if case .verifying(let verification) = phase { return readForVerification(verification, &context) }
        guard context.phase == .running, phase == .transferring || mayOfferEarly(context), !named.awaitsList,
            let number = nextPart(), let plan, let size = plan.bytes(of: number)
        else { return false }
        let isCounted = !isSmall(context)
        parts[number] = AgentPart(size: size, stage: .reading, isCounted: isCounted)
        if isCounted { context.partsUnderWay += 1 }
        // The answer to a run's first query says which parts the store has without a digest. That is too late for
        // what is offered ahead of it.
        let withMD5 = needsMD5.contains(number) || !named.isComplete
        context.actions.append(
            .readPart(id, number, start: plan.start(of: number), bytes: size, withMD5: withMD5, keep: true))
        return true
    }

    /// Parts that were interrupted or may be stored already come first, then fresh ones in order.
    private mutating func nextPart() -> PartNumber? {
        while let number = pending.first {
            pending.removeFirst()
            if stored[number] == nil, parts[number] == nil { return number }
        }
        if let plan, plan.isStream, plan.fileBytes == nil { return nextPartOfStream() }
        while let number = PartNumber(nextFresh), let count = plan?.partCount, nextFresh <= count {
            nextFresh += 1
            if stored[number] == nil, parts[number] == nil { return number }
        }
        return nil
    }

    /// A stream is read in order, and only what has been read tells whether more follows.
    private mutating func nextPartOfStream() -> PartNumber? {
        guard !parts.values.contains(where: { $0.stage == .reading }) else { return nil }
        defer { nextFresh += 1 }
        return PartNumber(nextFresh)
    }

    private mutating func partOfStreamRead(
        _ number: PartNumber, digest: SHA256Digest, md5: MD5Digest?, bytes: UInt64, isLast: Bool,
        _ context: inout AgentContext
    ) {
        guard isLast || number.value < streamPartsMax else {
            let message =
                "the stream is longer than the \(streamPartsMax) parts that the store takes: give a larger --part-size"
            return abandon(UploadFailure(.sizeUnsupported, message), &context)
        }
        streamBytes += bytes
        if isLast { plan?.ended(after: streamBytes) }
        parts[number]?.size = bytes
        parts[number]?.digest = digest
        parts[number]?.md5 = md5
        parts[number]?.stage = .ready(notBefore: context.now)
        offerReadyParts(&context)
    }

    /// Called by the agent when the shell has read a part.
    mutating func partRead(_ number: PartNumber, _ reading: PartReading, _ context: inout AgentContext) {
        if case .verifying(let verification) = phase {
            return partVerified(number, reading, verification, &context)
        }
        guard var part = parts[number], part.stage == .reading else { return }
        switch reading {
        case .read(let digest, let md5, let later):
            switch difference(whileReading: later) {
            case .none:
                break
            case .touched where plan?.isOnePart == true && part.digest != digest:
                // Only the change time moved: the same digest twice proves that the bytes did not.
                self.stamp = later
                part.digest = digest
                parts[number] = part
                context.actions.append(
                    .readPart(id, number, start: 0, bytes: part.size, withMD5: part.md5 != nil, keep: true))
                return
            case .touched:
                break  // Looked at again when all parts are stored.
            case .changed:
                return end(.failed(UploadFailure(.changed, "the file changed while it was being read")), &context)
            }
            part.digest = digest
            part.md5 = md5
            part.stage = .ready(notBefore: context.now)
            parts[number] = part
            offerReadyParts(&context)
        case .readOfStream(let digest, let md5, let bytes, let isLast):
            partOfStreamRead(number, digest: digest, md5: md5, bytes: bytes, isLast: isLast, &context)
        case .truncated:
            end(.failed(UploadFailure(.changed, "the file was cut short while it was being read")), &context)
        case .failed(let failure) where failure.kind == .incomplete || request.isStream:
            abandon(failure, &context)
        case .failed(let failure):
            end(.failed(failure), &context)
        }
    }

    /// Offers what is ready and the window admits, each part on the connection that carries the fewest.
    mutating func offerReadyParts(_ context: inout AgentContext) {
        guard context.phase == .running else { return }
        var sending = parts.values.count { $0.stage == .sending }
        for number in parts.keys.sorted() {
            guard case .ready(let notBefore)? = parts[number]?.stage, notBefore <= context.now,
                window.admits(number, beside: sending), !goesOnWithoutOffer(number, &context),
                var part = parts[number], let digest = part.digest, let link = linkForOffer(of: number, context)
            else { continue }
            sending += 1
            part.stage = .sending
            part.attachment = link
            part.attempt = context.newOffer()
            part.handed = 0
            part.taken = 0
            part.limit = nil
            part.earlyBytes = 0
            parts[number] = part
            let offer = PartOffer(
                part: number, size: part.size, isLast: plan?.isLast(number) == true, digest: digest, md5: part.md5)
            context.send(.partOffer(offer), to: link)
            if part.size > 0 {
                context.connections[link.connection]?.add(UploadPart(upload: id, part: number))
            } else {
                partTaken(number, &context)
            }
        }
    }

    // MARK: Data

    /// How many plain bytes of a part may go on a connection now.
    func sendable(_ number: PartNumber, on connection: ConnectionID, _ context: AgentContext) -> UInt64 {
        guard let part = parts[number], part.stage == .sending, part.attachment?.connection == connection,
            let carrier = context.connections[connection]
        else { return 0 }
        if let limit = part.limit { return limit > part.handed ? limit - part.handed : 0 }
        guard mayGoUndecided(number, part, context) else { return 0 }
        return min(part.size - min(part.handed, part.size), carrier.opened?.creditLeft ?? 0)
    }

    /// Whether a part that was offered on a connection may go on before it is decided, as soon as there is credit.
    func waitsForCredit(_ number: PartNumber, on connection: ConnectionID, _ context: AgentContext) -> Bool {
        guard let part = parts[number], part.stage == .sending, part.attachment?.connection == connection else {
            return false
        }
        return part.limit == nil && mayGoUndecided(number, part, context)
    }

    /// Whether bytes of a part may be sent before the gateway has decided it. A part that was deferred once may be
    /// deferred again. A part that was sent before may be held by the gateway, whose decision says from which byte on.
    private func mayGoUndecided(_ number: PartNumber, _ part: AgentPart, _ context: AgentContext) -> Bool {
        context.store.allowsEarlyData && !part.wasDeferred && part.mostTaken == 0 && !window.known.contains(number)
            && phase != .resuming && named.isComplete && !named.wereHeld.contains(number)
            && !(plan?.isOnePart == true && request.saved?.session == session)
    }

    /// Called by the agent's scheduler: the next chunk of a part goes to its connection.
    mutating func sendChunk(_ number: PartNumber, bytes: UInt64, _ context: inout AgentContext) {
        guard var part = parts[number], let attachment = part.attachment else { return }
        let chunk = Chunk(
            connection: attachment.connection, slot: attachment.slot, upload: id, part: number, offset: part.handed,
            plainBytes: UInt32(clamping: bytes))
        context.actions.append(.sendChunk(chunk))
        part.handed += bytes
        bytesSent += bytes
        if part.limit == nil {
            part.earlyBytes += bytes
        }
        parts[number] = part
        context.connections[attachment.connection]?.withOpen { open in
            if part.limit == nil { open.changeTurns { $0.spendCredit(bytes) } }
            open.queued(chunk, of: part.attempt)
            if part.handed >= part.size { open.changeTurns { $0.remove(chunk.uploadPart) } }
        }
    }

    /// Called by the agent when a connection's socket has taken a chunk of this upload.
    mutating func chunkTaken(
        _ number: PartNumber, attempt: OfferID, end: ByteOffset, _ context: inout AgentContext
    ) {
        guard var part = parts[number], part.attempt == attempt, part.stage == .sending else { return }
        part.taken = max(part.taken, end)
        if part.taken > part.mostTaken {
            part.mostTaken = part.taken
            context.progressAt = context.now
        }
        parts[number] = part
        let progress = AgentReport.partProgress(number, sent: part.taken, size: part.size, isStored: false)
        context.actions.append(.report(id, progress))
        if part.taken >= part.size { partTaken(number, &context) }
    }

    /// The part is with the socket to its last byte.
    mutating func partTaken(_ number: PartNumber, _ context: inout AgentContext) {
        parts[number]?.stage = .sent
        guard plan?.isOnePart == true else { return offerReadyParts(&context) }
        guard let part = parts[number], let attachment = part.attachment,
            let digest = part.digest, let root = context.cryptography.rootDigest(of: [digest])
        else { return }
        setStage(.completing, of: attachment)
        mayStillAppear = true
        context.send(.complete(Complete(root: root, partCount: 1, size: part.size)), to: attachment)
        if phase == .transferring { phase = .completing }
    }

    /// Called by the agent when the shell could not read a chunk again.
    mutating func chunkFailed(
        _ number: PartNumber, attempt: OfferID, _ failure: UploadFailure, _ context: inout AgentContext
    ) {
        guard let part = parts[number], part.attempt == attempt, part.stage == .sending else { return }
        end(.failed(failure), &context)
    }

    // MARK: Answers

    mutating func received(_ decision: PartDecision, at attachment: Attachment, _ context: inout AgentContext) {
        let number = decision.part
        guard var part = parts[number], part.attachment == attachment, part.limit == nil else { return }
        giveBackEarlyCredit(&part, &context)
        switch decision.decision {
        case .send(let offset, let limit):
            // A gateway may grant more than there is (specification §7.2).
            part.limit = min(limit, part.size)
            part.handed = max(part.handed, min(offset, part.size))
            part.taken = max(part.taken, min(offset, part.size))
            part.mostTaken = max(part.mostTaken, min(offset, part.size))
            parts[number] = part
            guard part.stage == .sending else { return }
            if part.taken >= part.size {
                partTaken(number, &context)
            } else if part.handed < part.size {
                context.connections[attachment.connection]?.add(UploadPart(upload: id, part: number))
            }
        case .have(let etag):
            parts[number] = part
            bytesResumed += part.size
            partStored(number, etag: etag, &context)
        case .later(let code, let retryAfterMilliseconds):
            parts[number] = part
            deferPart(number, code: code, adviceMilliseconds: retryAfterMilliseconds, &context)
        case .no(let code):
            parts[number] = part
            partRefused(number, code, message: "", adviceMilliseconds: 0, &context)
        }
    }

    private func giveBackEarlyCredit(_ part: inout AgentPart, _ context: inout AgentContext) {
        guard part.limit == nil, let connection = part.attachment?.connection else { return }
        context.connections[connection]?.returnCredit(part.earlyBytes)
        part.earlyBytes = 0
    }

    mutating func received(_ received: Received, at attachment: Attachment, _ context: inout AgentContext) {
        named.received(received, at: attachment)
        guard var part = parts[received.part], part.attachment == attachment, let limit = part.limit else { return }
        part.limit = max(limit, min(received.limit, part.size))
        parts[received.part] = part
        if part.stage == .sending, part.handed < part.size {
            context.connections[attachment.connection]?.add(UploadPart(upload: id, part: received.part))
        }
    }

    mutating func received(_ stored: Stored, at attachment: Attachment, _ context: inout AgentContext) {
        guard parts[stored.part]?.attachment == attachment else { return named.stored(stored, at: attachment) }
        context.store.stored()
        partStored(stored.part, etag: stored.etag, &context)
    }

    mutating func partStored(_ number: PartNumber, etag: String, _ context: inout AgentContext) {
        guard let part = parts[number], let digest = part.digest else { return }
        let entry = PartListEntry(part: number, size: part.size, digest: digest, etag: etag)
        keep(entry)
        named.forget(number)
        failures = 0
        for other in parts.keys { parts[other]?.failures = 0 }
        window.grow(roomMax: context.limits.concurrency)
        // What holds up another part may be all that is left to tell.
        if parts.allSatisfy({ $0.key == number || !$0.value.wasDeferred }) { trouble = nil }
        context.progressAt = context.now
        unsavedEntry = context.journal(.stored(id, entry), awaitedBy: id)
        let progress = AgentReport.partProgress(number, sent: part.size, size: part.size, isStored: true)
        context.actions.append(.report(id, progress))
        removePart(number, &context)
        recheckIfWhole(&context)
    }

    /// A part's failure that another attempt may mend: it is offered again after a while.
    mutating func deferPart(
        _ number: PartNumber, code: ErrorCode, adviceMilliseconds: UInt32, _ context: inout AgentContext
    ) {
        guard var part = parts[number] else { return }
        part.failures += 1
        part.wasDeferred = true
        trouble = UploadFailure(code, message: "")
        giveBackEarlyCredit(&part, &context)
        let delay = context.storeDelay(
            afterFailures: part.failures, code: code, adviceMilliseconds: adviceMilliseconds)
        part.waitsForStore = code.isOfStore
        let connection = part.attachment?.connection
        part.attachment = nil
        part.stage = .ready(notBefore: context.now + delay)
        parts[number] = part
        if let connection { context.connections[connection]?.remove(UploadPart(upload: id, part: number)) }
        if plan?.isOnePart == true { reopenAfterCompletion() }
        context.reportWait(of: id, code, message: "")
    }

    /// COMPLETE of a one-part file came to nothing with its part: the session is open as before.
    mutating func reopenAfterCompletion() {
        let stage: Stage = phase == .opening ? .opening : .open
        for index in links.indices where links[index].stage == .completing { links[index].stage = stage }
        if phase == .completing { phase = .transferring }
    }

    // MARK: The end of a part

    /// Parts whose connection is gone wait, hashed and held, to be offered on another.
    mutating func interruptParts(on connection: ConnectionID? = nil, _ context: inout AgentContext) {
        for number in parts.keys.sorted() {
            guard var part = parts[number], let attachment = part.attachment,
                connection == nil || attachment.connection == connection
            else { continue }
            giveBackEarlyCredit(&part, &context)
            context.connections[attachment.connection]?.remove(UploadPart(upload: id, part: number))
            part.attachment = nil
            part.stage = .ready(notBefore: context.now)
            parts[number] = part
        }
    }

    /// Parts offered in a slot that has been closed wait to be offered in another.
    mutating func interruptParts(at attachment: Attachment, _ context: inout AgentContext) {
        guard parts.values.contains(where: { $0.attachment == attachment }) else { return }
        interruptParts(on: attachment.connection, &context)
    }

    /// Nothing of any part is needed any more; readings that are under way are given up.
    mutating func forgetParts(_ context: inout AgentContext) {
        if case .verifying(let verification) = phase {
            for number in verification.beingRead.sorted() { context.actions.append(.releasePart(id, number)) }
        }
        for number in parts.keys.sorted() { removePart(number, &context) }
    }

    /// The one place where a part's credit, room and bytes are given back.
    mutating func removePart(_ number: PartNumber, _ context: inout AgentContext) {
        guard var part = parts.removeValue(forKey: number) else { return }
        giveBackEarlyCredit(&part, &context)
        if let connection = part.attachment?.connection {
            context.connections[connection]?.remove(UploadPart(upload: id, part: number))
        }
        if part.isCounted {
            context.partsUnderWay -= 1
            context.isRoomToBeLookedAt = true
        }
        context.actions.append(.releasePart(id, number))
    }

    /// While it waits, its parts are read again later rather than keep others from theirs; a stream's cannot be.
    mutating func yieldRoom(_ context: inout AgentContext) {
        guard case .waiting = phase, !request.isStream else { return }
        let held = parts.keys.sorted()
        for number in held { removePart(number, &context) }
        pending = held + pending
    }
}
