import TransferCommon
import WireProtocol

// Reading, offering and sending parts (specification §7): the upload applies what `UploadParts` returns.

extension AgentUpload {
    // MARK: Reading

    /// Takes up the next part. The agent calls this while there is room for another part.
    ///
    /// - Returns: whether there was a part to take up.
    mutating func takeUpPart(_ context: inout AgentContext) -> Bool {
        if case .verifying(let verification) = phase { return readForVerification(verification, &context) }
        let isCounted = !session.isSmall(context.limits)
        guard context.phase == .running, phase == .transferring || mayOfferEarly(context), !parts.awaitsList,
            let plan = session.plan, let next = parts.takeUp(in: plan, isCounted: isCounted)
        else { return false }
        if isCounted { context.partsUnderWay += 1 }
        context.actions.append(
            .readPart(
                id, next.number, start: plan.start(of: next.number), bytes: next.size, withMD5: next.withMD5,
                keep: true))
        return true
    }

    /// The shell has read a part, or failed to.
    mutating func partRead(_ number: PartNumber, _ reading: PartReading, _ context: inout AgentContext) {
        if case .verifying(let verification) = phase {
            return partVerified(number, reading, verification, &context)
        }
        guard let part = parts[number], part.isReading else { return }
        switch reading {
        case .read(let digest, let md5, let later):
            fileRead(number, part, OutgoingPart.Digests(sha256: digest, md5: md5), later, &context)
        case .readOfStream(let digest, let md5, let bytes, let isLast):
            streamRead(number, OutgoingPart.Digests(sha256: digest, md5: md5), bytes: bytes, isLast: isLast, &context)
        case .truncated:
            end(.failed(.cutShortWhileRead), &context)
        case .failed(let failure) where failure.kind == .incomplete || request.isStream:
            abandon(failure, &context)
        case .failed(let failure):
            end(.failed(failure), &context)
        }
    }

    private mutating func fileRead(
        _ number: PartNumber, _ part: OutgoingPart, _ digests: OutgoingPart.Digests, _ later: FileStamp,
        _ context: inout AgentContext
    ) {
        switch session.difference(whileReading: later) {
        case .none:
            break
        case .touched where session.isOnePart && part.digest != digests.sha256:
            session.restamped(later)
            parts[number]?.readAgain(after: digests.sha256)
            return context.actions.append(
                .readPart(id, number, start: 0, bytes: part.size, withMD5: false, keep: true))
        case .touched:
            break  // The file's stamp is read again when all parts are stored.
        case .changed:
            return end(.failed(.changedWhileRead), &context)
        }
        parts[number]?.read(digests, now: context.now)
        offerReadyParts(&context)
    }

    private mutating func streamRead(
        _ number: PartNumber, _ digests: OutgoingPart.Digests, bytes: UInt64, isLast: Bool,
        _ context: inout AgentContext
    ) {
        guard isLast || number.value < session.streamPartsMax else {
            let message =
                "the stream is longer than the \(session.streamPartsMax) parts that the store takes: "
                + "give a larger --part-size"
            return abandon(UploadFailure(.sizeUnsupported, message), &context)
        }
        parts.readOfStream(number, digests, bytes: bytes, now: context.now)
        if isLast { session.streamEnded(after: parts.streamBytes) }
        offerReadyParts(&context)
    }

    // MARK: Offering

    /// Offers the parts that are ready and that the window admits, each on the connection that sends the fewest parts.
    mutating func offerReadyParts(_ context: inout AgentContext) {
        guard context.phase == .running, parts.hasReady else { return }
        var sending = parts.sendingCount
        for number in parts.numbers where parts.mayOffer(number, beside: sending, now: context.now) {
            if offer(number, &context) { sending += 1 }
        }
    }

    /// - Returns: whether the part was offered. A part that a gateway has named may need no offer.
    private mutating func offer(_ number: PartNumber, _ context: inout AgentContext) -> Bool {
        let slot = parts.placeOfPartial(number).map { slotOfPartial(number, at: $0, context) } ?? .closed
        switch parts.judgeNamed(number, maySkip: phase == .transferring, slot: slot) {
        case .wait:
            return false
        case .stored(let etag):
            bytesResumed += parts[number]?.size ?? 0
            partStored(number, etag: etag, &context)
            return false
        case .resume(let place, let offset, let limit):
            let result = parts.resume(number, context.newOffer(), in: place, from: offset, limit: limit)
            applyCredit(number, result, on: place.connection, &context)
            return false
        case .offer:
            break
        }
        guard let place = placeForOffer(of: number, context),
            let offer = parts.offer(number, context.newOffer(), in: place, of: session.plan)
        else { return false }
        context.send(.partOffer(offer), to: place)
        applyCredit(number, offer.size > 0 ? .send : .whole, on: place.connection, &context)
        return true
    }

    private func slotOfPartial(
        _ number: PartNumber, at place: Attachment, _ context: AgentContext
    ) -> NamedParts.Slot {
        guard lifecycle.links.stage(at: place) == .open, let connection = context.connections[place.connection],
            connection.isOpen
        else { return .closed }
        return connection.hasQueued(UploadPart(upload: id, part: number)) ? .hasChunks : .free
    }

    // MARK: Sending

    /// How many plain bytes of a part may be sent on a connection now.
    func sendable(_ number: PartNumber, on connection: ConnectionID, _ context: AgentContext) -> UInt64 {
        switch parts.sendable(number, on: connection, mayGoEarly: mayGoEarly(context)) {
        case .none: 0
        case .decided(let bytes): bytes
        case .undecided(let bytes): min(bytes, context.connections[connection]?.opened?.creditLeft ?? 0)
        }
    }

    /// Whether data of a part that was offered on a connection may be sent before the decision, as soon as initial
    /// credit is free.
    func waitsForCredit(_ number: PartNumber, on connection: ConnectionID, _ context: AgentContext) -> Bool {
        if case .undecided = parts.sendable(number, on: connection, mayGoEarly: mayGoEarly(context)) {
            true
        } else {
            false
        }
    }

    /// Whether the upload allows data before a decision. Not for a one-part file that an earlier run began: the gateway
    /// may hold its first bytes, and its decision says from which byte the data continues.
    private func mayGoEarly(_ context: AgentContext) -> Bool {
        context.store.allowsEarlyData && phase != .resuming && !(session.isOnePart && session.isOfEarlierRun)
    }

    /// Passes the next chunk of a part to its connection.
    mutating func sendChunk(_ number: PartNumber, bytes: UInt64, _ context: inout AgentContext) {
        guard let sent = parts.send(number, bytes: bytes, of: id) else { return }
        context.actions.append(.sendChunk(sent.chunk))
        bytesSent += bytes
        context.connections[sent.chunk.connection]?.withOpen { open in
            if sent.isUndecided { open.turns.spendCredit(bytes) }
            open.queued(sent.chunk, of: sent.offer)
            if sent.isWhole { open.turns.remove(sent.chunk.uploadPart) }
        }
    }

    /// The socket has taken a chunk of this upload.
    mutating func chunkTaken(
        _ number: PartNumber, of offer: OfferID, upTo end: ByteOffset, _ context: inout AgentContext
    ) {
        guard let result = parts[number]?.taken(upTo: end, of: offer), let size = parts[number]?.size else { return }
        if result.isProgress { context.progressAt = context.now }
        let progress = AgentReport.partProgress(number, sent: result.taken, size: size, isStored: false)
        context.actions.append(.report(id, progress))
        if result.isWhole { partTaken(number, &context) }
    }

    /// The socket has the last byte of the part.
    private mutating func partTaken(_ number: PartNumber, _ context: inout AgentContext) {
        parts[number]?.allTaken()
        guard session.isOnePart else { return offerReadyParts(&context) }
        guard let part = parts[number], let place = part.place,
            let digest = part.digest, let root = context.cryptography.rootDigest(of: [digest])
        else { return }
        lifecycle.completesOnePart(in: place)
        session.completesOnePart()
        context.send(.complete(Complete(root: root, partCount: 1, size: part.size)), to: place)
    }

    /// The shell could not read a chunk again.
    mutating func chunkFailed(
        _ number: PartNumber, of offer: OfferID, _ failure: UploadFailure, _ context: inout AgentContext
    ) {
        guard let part = parts[number], part.isSending, part.offer?.id == offer else { return }
        end(.failed(failure), &context)
    }

    // MARK: Answers

    mutating func received(_ decision: PartDecision, at place: Attachment, _ context: inout AgentContext) {
        let number = decision.part
        guard let part = parts[number], part.isUndecided(in: place) else { return }
        if let early = parts.takeEarlyBytes(number) {
            context.connections[place.connection]?.returnCredit(early.earlyBytes)
        }
        switch decision.decision {
        case .send(let offset, let limit):
            let result = parts[number]?.granted(from: offset, limit: limit) ?? .nothing
            applyCredit(number, result, on: place.connection, &context)
        case .have(let etag):
            bytesResumed += part.size
            partStored(number, etag: etag, &context)
        case .later(let code, let retryAfterMilliseconds):
            deferPart(number, code: code, adviceMilliseconds: retryAfterMilliseconds, &context)
        case .no(let code):
            partRefused(number, code, message: "", adviceMilliseconds: 0, &context)
        }
    }

    private mutating func applyCredit(
        _ number: PartNumber, _ result: OutgoingPart.OnCredit, on connection: ConnectionID,
        _ context: inout AgentContext
    ) {
        switch result {
        case .nothing: break
        case .send: context.connections[connection]?.add(UploadPart(upload: id, part: number))
        case .whole: partTaken(number, &context)
        }
    }

    mutating func received(_ received: Received, at place: Attachment, _ context: inout AgentContext) {
        applyCredit(received.part, parts.received(received, at: place), on: place.connection, &context)
    }

    mutating func received(_ stored: Stored, at place: Attachment, _ context: inout AgentContext) {
        guard parts.isStored(stored, at: place) else { return }
        context.store.stored()
        partStored(stored.part, etag: stored.etag, &context)
    }

    private mutating func partStored(_ number: PartNumber, etag: String, _ context: inout AgentContext) {
        guard let stored = parts.store(number, etag: etag, roomMax: context.limits.concurrency) else { return }
        failures = 0
        // While another part is deferred, the reason for that may be needed if the agent gives up.
        if stored.othersAreWell { trouble = nil }
        context.progressAt = context.now
        let entry = stored.entry
        unsavedEntry = context.journal(.stored(id, entry), awaitedBy: id)
        let progress = AgentReport.partProgress(number, sent: entry.size, size: entry.size, isStored: true)
        context.actions.append(.report(id, progress))
        removePart(number, &context)
        recheckIfWhole(&context)
    }

    /// A part has failed, and another attempt may succeed: the part is offered again after a while.
    mutating func deferPart(
        _ number: PartNumber, code: ErrorCode, adviceMilliseconds: UInt32, _ context: inout AgentContext
    ) {
        guard let failures = parts.failed(number) else { return }
        trouble = UploadFailure(code, message: "")
        let delay = context.clock.storeDelay(
            afterFailures: failures, GatewayRefusal(code, adviceMilliseconds: adviceMilliseconds))
        let withdrawn = parts.withdraw(number, notBefore: context.now + delay, waitsForStore: code.isOfStore)
        release(withdrawn, number, &context)
        if session.isOnePart { lifecycle.reopen() }
        context.reportWait(of: id, GatewayRefusal(code))
    }

    // MARK: The end of an offer, and of a part

    private func release(
        _ withdrawn: UploadParts.OnWithdrawn?, _ number: PartNumber, _ context: inout AgentContext
    ) {
        guard let withdrawn else { return }
        context.connections[withdrawn.place.connection]?.returnCredit(withdrawn.earlyBytes)
        context.connections[withdrawn.place.connection]?.remove(UploadPart(upload: id, part: number))
    }

    /// Parts whose connection is lost keep the bytes that were read, and wait to be offered on another connection.
    mutating func interruptParts(on connection: ConnectionID? = nil, _ context: inout AgentContext) {
        for number in parts.numbers {
            guard let place = parts[number]?.place, connection == nil || place.connection == connection else {
                continue
            }
            release(parts.withdraw(number, notBefore: context.now), number, &context)
        }
    }

    /// Parts whose slot has been closed wait to be offered in another slot.
    mutating func interruptParts(at place: Attachment, _ context: inout AgentContext) {
        guard parts.isUnderWay(in: place) else { return }
        interruptParts(on: place.connection, &context)
    }

    /// Gives up all parts. Reads that are in progress do not count any more.
    mutating func forgetParts(_ context: inout AgentContext) {
        if case .verifying(let verification) = phase {
            for number in verification.beingRead.sorted() { context.actions.append(.releasePart(id, number)) }
        }
        for number in parts.numbers { removePart(number, &context) }
    }

    /// Releases a part's credit, room and bytes; no other method does.
    mutating func removePart(_ number: PartNumber, _ context: inout AgentContext) {
        guard let removed = parts.remove(number) else { return }
        release(removed.offer, number, &context)
        if removed.isCounted {
            context.partsUnderWay -= 1
            context.isRoomToBeLookedAt = true
        }
        context.actions.append(.releasePart(id, number))
    }

    /// Releases all parts while the upload waits, so that other uploads have room; the parts are read again later. A
    /// stream cannot be read again and keeps its parts.
    mutating func yieldRoom(_ context: inout AgentContext) {
        guard phase.isWaiting, !request.isStream else { return }
        let held = parts.numbers
        for number in held { removePart(number, &context) }
        parts.putFirst(held)
    }
}
