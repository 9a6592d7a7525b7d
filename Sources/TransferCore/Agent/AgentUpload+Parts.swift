import TransferCommon
import WireProtocol

// Reading, offering and sending parts (specification §7).

extension AgentUpload {
    /// Takes up the next part. The agent calls this while there is room for another part.
    ///
    /// - Returns: whether there was a part to take up.
    mutating func takeUpPart(_ context: inout AgentContext) -> Bool {
        if case .verifying(let verification) = phase { return readForVerification(verification, &context) }
        guard context.phase == .running, phase == .transferring || mayOfferEarly(context), !named.awaitsList,
            let plan, let number = takeNextPart(of: plan), let size = plan.bytes(of: number)
        else { return false }
        let isCounted = !isSmall(context)
        parts[number] = OutgoingPart(size: size, isCounted: isCounted)
        if isCounted { context.partsUnderWay += 1 }
        // The answer to the first query of a run says which parts the store has without a digest. It comes too late for
        // parts that are offered ahead of it.
        let withMD5 = needsMD5.contains(number) || !named.isComplete
        context.actions.append(
            .readPart(id, number, start: plan.start(of: number), bytes: size, withMD5: withMD5, keep: true))
        return true
    }

    private mutating func takeNextPart(of plan: PartPlan) -> PartNumber? {
        let (stored, parts) = (stored, parts)
        return queue.next(in: plan, isReading: isReadingPart) { stored[$0] != nil || parts[$0] != nil }
    }

    var isReadingPart: Bool { parts.values.contains(where: \.isReading) }

    // MARK: Reading

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
            end(.failed(UploadFailure(.changed, "the file was cut short while it was being read")), &context)
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
        switch difference(whileReading: later) {
        case .none:
            break
        case .touched where isOnePart && part.digest != digests.sha256:
            self.stamp = later
            parts[number]?.readAgain(after: digests.sha256)
            return context.actions.append(
                .readPart(id, number, start: 0, bytes: part.size, withMD5: false, keep: true))
        case .touched:
            break  // The file is looked at again when all parts are stored.
        case .changed:
            return end(.failed(UploadFailure(.changed, "the file changed while it was being read")), &context)
        }
        parts[number]?.read(digests, now: context.now)
        offerReadyParts(&context)
    }

    private mutating func streamRead(
        _ number: PartNumber, _ digests: OutgoingPart.Digests, bytes: UInt64, isLast: Bool,
        _ context: inout AgentContext
    ) {
        guard isLast || number.value < streamPartsMax else {
            let message =
                "the stream is longer than the \(streamPartsMax) parts that the store takes: give a larger --part-size"
            return abandon(UploadFailure(.sizeUnsupported, message), &context)
        }
        streamBytes += bytes
        if isLast { plan?.ended(after: streamBytes) }
        parts[number]?.read(digests, bytes: bytes, now: context.now)
        offerReadyParts(&context)
    }

    // MARK: Offering

    /// Offers the parts that are ready and that the window admits, each on the connection that sends the fewest parts.
    mutating func offerReadyParts(_ context: inout AgentContext) {
        guard context.phase == .running else { return }
        var sending = parts.values.count(where: \.isSending)
        for number in parts.keys.sorted() {
            guard parts[number]?.digestsToOffer(at: context.now) != nil, window.admits(number, beside: sending),
                !goesOnWithoutOffer(number, &context),
                let part = parts[number], let digests = part.digestsToOffer(at: context.now),
                let place = placeForOffer(of: number, context)
            else { continue }
            sending += 1
            parts[number]?.begin(OutgoingPart.Offer(context.newOffer(), in: place))
            let offer = PartOffer(
                part: number, size: part.size, isLast: plan?.isLast(number) == true, digest: digests.sha256,
                md5: digests.md5)
            context.send(.partOffer(offer), to: place)
            if part.size > 0 {
                context.connections[place.connection]?.add(UploadPart(upload: id, part: number))
            } else {
                partTaken(number, &context)
            }
        }
    }

    // MARK: Sending

    /// How many plain bytes of a part may go out on a connection now.
    func sendable(_ number: PartNumber, on connection: ConnectionID, _ context: AgentContext) -> UInt64 {
        guard let part = parts[number], part.isSending, let offer = part.offer, offer.place.connection == connection,
            let carrier = context.connections[connection]
        else { return 0 }
        guard offer.isUndecided else { return part.bytesToHand }
        guard mayGoUndecided(number, part, context) else { return 0 }
        return min(part.bytesToHand, carrier.opened?.creditLeft ?? 0)
    }

    /// Whether data of a part that was offered on a connection may go out before the decision, as soon as there is
    /// initial credit.
    func waitsForCredit(_ number: PartNumber, on connection: ConnectionID, _ context: AgentContext) -> Bool {
        guard let part = parts[number], part.isSending, let offer = part.offer, offer.place.connection == connection
        else { return false }
        return offer.isUndecided && mayGoUndecided(number, part, context)
    }

    /// Whether bytes of a part may be sent before the gateway has decided. A part that was deferred once may be deferred
    /// again. A part of which bytes were sent before may be held by the gateway, whose decision says from which byte the
    /// data continues.
    private func mayGoUndecided(_ number: PartNumber, _ part: OutgoingPart, _ context: AgentContext) -> Bool {
        context.store.allowsEarlyData && !part.wasDeferred && part.reached == 0 && !window.known.contains(number)
            && phase != .resuming && named.isComplete && !named.wereHeld.contains(number)
            && !(isOnePart && request.saved?.session == session)
    }

    /// Passes the next chunk of a part to its connection.
    mutating func sendChunk(_ number: PartNumber, bytes: UInt64, _ context: inout AgentContext) {
        guard let part = parts[number], let offer = part.offer else { return }
        let chunk = Chunk(
            connection: offer.place.connection, slot: offer.place.slot, upload: id, part: number, offset: offer.handed,
            plainBytes: UInt32(clamping: bytes))
        context.actions.append(.sendChunk(chunk))
        bytesSent += bytes
        let isWhole = parts[number]?.handed(bytes) ?? true
        context.connections[offer.place.connection]?.withOpen { open in
            if offer.isUndecided { open.changeTurns { $0.spendCredit(bytes) } }
            open.queued(chunk, of: offer.id)
            if isWhole { open.changeTurns { $0.remove(chunk.uploadPart) } }
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
    mutating func partTaken(_ number: PartNumber, _ context: inout AgentContext) {
        parts[number]?.allTaken()
        guard isOnePart else { return offerReadyParts(&context) }
        guard let part = parts[number], let place = part.place,
            let digest = part.digest, let root = context.cryptography.rootDigest(of: [digest])
        else { return }
        lifecycle.completesOnePart(in: place)
        mayStillAppear = true
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
        guard let part = parts[number], let offer = part.offer, offer.place == place, offer.isUndecided else { return }
        returnEarlyCredit(number, &context)
        switch decision.decision {
        case .send(let offset, let limit):
            let result = parts[number]?.granted(from: offset, limit: limit) ?? .nothing
            goOn(number, result, on: place.connection, &context)
        case .have(let etag):
            bytesResumed += part.size
            partStored(number, etag: etag, &context)
        case .later(let code, let retryAfterMilliseconds):
            deferPart(number, code: code, adviceMilliseconds: retryAfterMilliseconds, &context)
        case .no(let code):
            partRefused(number, code, message: "", adviceMilliseconds: 0, &context)
        }
    }

    private mutating func goOn(
        _ number: PartNumber, _ result: OutgoingPart.OnCredit, on connection: ConnectionID,
        _ context: inout AgentContext
    ) {
        switch result {
        case .nothing: break
        case .send: context.connections[connection]?.add(UploadPart(upload: id, part: number))
        case .whole: partTaken(number, &context)
        }
    }

    private mutating func returnEarlyCredit(_ number: PartNumber, _ context: inout AgentContext) {
        guard let connection = parts[number]?.place?.connection, let bytes = parts[number]?.takeEarlyBytes() else {
            return
        }
        context.connections[connection]?.returnCredit(bytes)
    }

    mutating func received(_ received: Received, at place: Attachment, _ context: inout AgentContext) {
        named.received(received, at: place)
        guard parts[received.part]?.place == place else { return }
        let result = parts[received.part]?.raised(to: received.limit) ?? .nothing
        goOn(received.part, result, on: place.connection, &context)
    }

    mutating func received(_ stored: Stored, at place: Attachment, _ context: inout AgentContext) {
        guard parts[stored.part]?.place == place else { return named.stored(stored, at: place) }
        context.store.stored()
        partStored(stored.part, etag: stored.etag, &context)
    }

    mutating func partStored(_ number: PartNumber, etag: String, _ context: inout AgentContext) {
        guard let part = parts[number], let digest = part.digest else { return }
        let entry = PartListEntry(part: number, size: part.size, digest: digest, etag: etag)
        stored.keep(entry)
        named.forget(number)
        failures = 0
        for other in parts.keys { parts[other]?.failures = 0 }
        window.grow(roomMax: context.limits.concurrency)
        // The trouble of another part that was deferred may be all that can be reported.
        if parts.allSatisfy({ $0.key == number || !$0.value.wasDeferred }) { trouble = nil }
        context.progressAt = context.now
        unsavedEntry = context.journal(.stored(id, entry), awaitedBy: id)
        let progress = AgentReport.partProgress(number, sent: part.size, size: part.size, isStored: true)
        context.actions.append(.report(id, progress))
        removePart(number, &context)
        recheckIfWhole(&context)
    }

    /// A part has failed in a way that another attempt may mend: it is offered again after a while.
    mutating func deferPart(
        _ number: PartNumber, code: ErrorCode, adviceMilliseconds: UInt32, _ context: inout AgentContext
    ) {
        guard let part = parts[number] else { return }
        parts[number]?.failures += 1
        parts[number]?.wasDeferred = true
        trouble = UploadFailure(code, message: "")
        returnEarlyCredit(number, &context)
        let delay = context.storeDelay(
            afterFailures: part.failures + 1, code: code, adviceMilliseconds: adviceMilliseconds)
        parts[number]?.withdraw(notBefore: context.now + delay, waitsForStore: code.isOfStore)
        if let place = part.place {
            context.connections[place.connection]?.remove(UploadPart(upload: id, part: number))
        }
        if isOnePart { lifecycle.reopen() }
        context.reportWait(of: id, code, message: "")
    }

    // MARK: The end of an offer, and of a part

    /// Parts whose connection is gone keep their bytes and wait to be offered on another.
    mutating func interruptParts(on connection: ConnectionID? = nil, _ context: inout AgentContext) {
        for number in parts.keys.sorted() {
            guard let place = parts[number]?.place, connection == nil || place.connection == connection else {
                continue
            }
            returnEarlyCredit(number, &context)
            context.connections[place.connection]?.remove(UploadPart(upload: id, part: number))
            parts[number]?.withdraw(notBefore: context.now)
        }
    }

    /// Parts whose slot has been closed wait to be offered in another.
    mutating func interruptParts(at place: Attachment, _ context: inout AgentContext) {
        guard parts.values.contains(where: { $0.place == place }) else { return }
        interruptParts(on: place.connection, &context)
    }

    /// Gives up all parts. Reads that are in progress do not count any more.
    mutating func forgetParts(_ context: inout AgentContext) {
        if case .verifying(let verification) = phase {
            for number in verification.beingRead.sorted() { context.actions.append(.releasePart(id, number)) }
        }
        for number in parts.keys.sorted() { removePart(number, &context) }
    }

    /// The one place where a part's credit, room and bytes are released.
    mutating func removePart(_ number: PartNumber, _ context: inout AgentContext) {
        returnEarlyCredit(number, &context)
        guard let part = parts.removeValue(forKey: number) else { return }
        if let place = part.place {
            context.connections[place.connection]?.remove(UploadPart(upload: id, part: number))
        }
        if part.isCounted {
            context.partsUnderWay -= 1
            context.isRoomToBeLookedAt = true
        }
        context.actions.append(.releasePart(id, number))
    }

    /// Releases all parts while the upload waits, so that other uploads have room; the parts are read again later. A
    /// stream cannot be read again and keeps its parts.
    mutating func yieldRoom(_ context: inout AgentContext) {
        guard lifecycle.isWaiting, !request.isStream else { return }
        let held = parts.keys.sorted()
        for number in held { removePart(number, &context) }
        queue.putFirst(held)
    }
}
