import TransferCommon
import WireProtocol

/// The transfer of the parts of one upload: what each reading, decision, credit and confirmation leads to.
///
/// `UploadParts` has the parts with their states. This type judges the reports of the shell and of gateways about a
/// part, and requests reads and chunks. It releases what a part holds: its turns, its credit, its room and its bytes.
/// It returns effects on the session, which `AgentUpload` applies.
struct PartTransfer: Hashable {
    let id: UploadID
    var parts = UploadParts()
    var attempts: FruitlessAttempts
    /// Plain bytes that this run put on the wire.
    private(set) var bytesSent: UInt64 = 0
    /// Bytes that this run found stored.
    var bytesResumed: UInt64 = 0

    /// At this number of mismatches of a part the upload ends: the gateway received other bytes than were hashed.
    static let mismatchesMax = 3

    /// Whether the parts are too large for the connections, and nothing is stored that smaller parts would lose.
    var isFutile: Bool { attempts.areHopeless && parts.stored.isEmpty }

    init(of request: UploadRequest) {
        self.id = request.id
        self.attempts = FruitlessAttempts(count: request.fruitlessAttempts)
        if request.fruitlessAttempts > 0 { parts.shrinkWindow() }
    }
}

// MARK: - Reading

extension PartTransfer {
    /// Judges a part that the shell has read or failed to read, by the stamp that the file has now.
    mutating func read(
        _ number: PartNumber, _ reading: PartReading, of session: UploadSession, now: Instant
    ) -> OnPart {
        guard let part = parts[number], part.isReading else { return .nothing }
        switch reading {
        case .read(let digest, let md5, let later):
            switch session.difference(whileReading: later) {
            case .touched where session.isOnePart && part.digest != digest:
                parts[number]?.readAgain(after: digest)
                return .readTwice(later, bytes: part.size, withMD5: md5 != nil)
            case .none, .touched:
                // If the file was touched, its stamp is read again when all parts are stored.
                parts[number]?.read(OutgoingPart.Digests(sha256: digest, md5: md5), now: now)
                return .offer(streamBytes: nil)
            case .changed:
                return .end(.changedWhileRead)
            }
        case .readOfStream(let digest, let md5, let bytes, let isLast):
            guard isLast || number.value < session.streamPartsMax else {
                let message = "the stream is longer than the \(session.streamPartsMax) parts that the store takes"
                return .abandon(UploadFailure(.sizeUnsupported, message))
            }
            parts.readOfStream(number, OutgoingPart.Digests(sha256: digest, md5: md5), bytes: bytes, now: now)
            return .offer(streamBytes: isLast ? parts.streamBytes : nil)
        case .truncated:
            return .end(.cutShortWhileRead)
        case .failed(let failure):
            return failure.kind == .incomplete || session.request.isStream ? .abandon(failure) : .end(failure)
        }
    }

    /// Takes up the next part and asks the shell to read it; returns whether there was a part. If `isCounted`, the
    /// part counts against the concurrency.
    mutating func takeUp(in plan: PartPlan, isCounted: Bool, _ context: inout AgentContext) -> Bool {
        guard !parts.readsNone, let next = parts.takeUp(in: plan, isCounted: isCounted) else { return false }
        if isCounted { context.partsUnderWay += 1 }
        context.actions.append(
            .readPart(
                id, next.number, start: plan.start(of: next.number), bytes: next.size, withMD5: next.withMD5,
                keep: true))
        return true
    }

    /// Releases a part of which the gateway received other bytes than the agent hashed, so that it is read again
    /// before any other part. Returns how often that has happened to the part.
    mutating func putBack(_ number: PartNumber, _ context: inout AgentContext) -> Int {
        let mismatches = parts[number]?.mismatches ?? 0
        remove(number, &context)
        parts.putFirst([number])
        return mismatches + 1
    }

    /// Restores the mismatches of a part that is read again, and lets its data wait for the gateway's decision.
    mutating func readsAgain(_ number: PartNumber, mismatches: Int) {
        parts[number]?.mismatches = mismatches
        parts[number]?.wasDeferred = true
    }
}

// MARK: - Offering and sending

extension PartTransfer {
    /// What follows when a part is ready to be offered.
    struct OnOffer: Hashable {
        var part: OnPart
        /// Whether the part was offered. A part that a gateway has named may need no offer.
        var isOffered = false
    }

    /// Offers a part in the slot that the rule of the session chooses.
    mutating func offer(_ number: PartNumber, by rule: OfferRule, _ context: inout AgentContext) -> OnOffer {
        let part = UploadPart(upload: id, part: number)
        let slot = parts.placeOfPartial(number).map { rule.slot(of: part, at: $0, context.connections) } ?? .closed
        switch parts.judgeNamed(number, maySkip: rule.maySkip, slot: slot) {
        case .wait:
            return OnOffer(part: .nothing)
        case .stored(let etag):
            bytesResumed += parts[number]?.size ?? 0
            return OnOffer(part: .stored(etag: etag))
        case .resume(let place, let offset, let limit):
            let credit = parts.resume(number, context.newOffer(), in: place, from: offset, limit: limit)
            return OnOffer(part: .credit(credit, on: place.connection, earlyBytes: 0))
        case .offer:
            guard let place = rule.place(for: part, parts, context.connections),
                let offer = parts.offer(number, context.newOffer(), in: place, of: rule.plan)
            else { return OnOffer(part: .nothing) }
            context.send(.partOffer(offer), to: place)
            let credit = offer.size > 0 ? OutgoingPart.OnCredit.send : .whole
            return OnOffer(part: .credit(credit, on: place.connection, earlyBytes: 0), isOffered: true)
        }
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

    /// Counts a chunk that the socket has taken; returns whether the socket has the whole part.
    mutating func chunkTaken(
        _ chunk: Chunk, of offer: OfferID, isWholeFile: Bool, _ context: inout AgentContext
    ) -> Bool {
        let number = chunk.part
        guard let result = parts[number]?.taken(upTo: chunk.end, of: offer), let part = parts[number] else {
            return false
        }
        if result.isProgress { context.progressAt = context.now }
        if part.isCounted {
            attempts.dataSent(of: part, isWholeFile: isWholeFile, on: context.connections)
            context.save(&attempts, of: id)
        }
        context.actions.append(
            .report(id, .partProgress(number, sent: result.taken, size: part.size, isStored: false)))
        return result.isWhole
    }

    /// Whether a chunk of this offer is still to be sent.
    func isSending(_ number: PartNumber, of offer: OfferID) -> Bool {
        parts[number].map { $0.isSending && $0.offer?.id == offer } ?? false
    }

    /// Notes that the socket has the last byte of a part; returns what COMPLETE of a one-part file needs.
    mutating func allTaken(_ number: PartNumber) -> (place: Attachment, digest: SHA256Digest, size: UInt64)? {
        parts[number]?.allTaken()
        guard let part = parts[number], let place = part.place, let digest = part.digest else { return nil }
        return (place, digest, part.size)
    }
}

// MARK: - The end of an offer, and of a part

extension PartTransfer {
    /// Writes a part that the store has confirmed to the journal, and releases it; `nil` for a part that is not under
    /// way. `othersAreWell`: whether no other part of the upload is deferred.
    mutating func store(
        _ number: PartNumber, etag: String, _ context: inout AgentContext
    ) -> (entry: JournalSequence, othersAreWell: Bool)? {
        guard let stored = parts.store(number, etag: etag, roomMax: context.limits.concurrency) else { return nil }
        context.progressAt = context.now
        attempts.partStored()
        let entry = stored.entry
        let sequence = context.journal(.stored(id, entry), awaitedBy: id)
        let progress = AgentReport.partProgress(number, sent: entry.size, size: entry.size, isStored: true)
        context.actions.append(.report(id, progress))
        remove(number, &context)
        return (sequence, stored.othersAreWell)
    }

    /// Ends the offer of a part. The agent offers the part again at `moment` or later.
    mutating func withdraw(
        _ number: PartNumber, notBefore moment: Instant, waitsForStore: Bool = false, _ context: inout AgentContext
    ) {
        if waitsForStore { attempts.storeRefused() }
        release(parts.withdraw(number, notBefore: moment, waitsForStore: waitsForStore), number, &context)
    }

    /// Ends the offers of parts whose slot or connection is lost (`nil`: all parts). The parts keep the bytes that
    /// were read, and wait for another slot.
    mutating func interrupt(on connection: ConnectionID? = nil, _ context: inout AgentContext) {
        for number in parts.numbers {
            guard let place = parts[number]?.place, connection == nil || place.connection == connection else {
                continue
            }
            withdraw(number, notBefore: context.now, &context)
        }
    }

    /// Ends the offers on a lost connection. If data was under way on it, fewer parts are sent at once from now on.
    /// `isLast`: whether the upload has no other connection.
    mutating func connectionLost(_ connection: ConnectionID, isLast: Bool, _ context: inout AgentContext) {
        if isLast { attempts.connectionsLost() }
        parts.forgetSlots { $0.connection == connection }
        if parts.hasDataUnderWay(on: connection) { parts.shrinkWindow() }
        interrupt(on: connection, &context)
    }

    /// Ends the offers in a slot that is closed, and forgets what was named there.
    mutating func slotClosed(_ place: Attachment, _ context: inout AgentContext) {
        parts.forgetSlots { $0 == place }
        if parts.isUnderWay(in: place) { interrupt(on: place.connection, &context) }
    }

    /// Gives up all parts, and stored parts that the shell is reading again. Results of these reads are ignored.
    mutating func forget(_ beingVerified: Set<PartNumber>, _ context: inout AgentContext) {
        for number in beingVerified.sorted() { context.actions.append(.releasePart(id, number)) }
        for number in parts.numbers { remove(number, &context) }
    }

    /// Releases all parts, so that other uploads have room; the parts are read again later.
    mutating func yieldRoom(_ context: inout AgentContext) {
        let held = parts.numbers
        for number in held { remove(number, &context) }
        parts.putFirst(held)
    }

    /// Gives up all parts of a stopping agent, except those in `chosen` and those that have been sent completely.
    mutating func withhold(except chosen: Set<PartNumber>, _ context: inout AgentContext) {
        for number in parts.numbers {
            guard let part = parts[number], !part.isSent, !(part.isSending && chosen.contains(number)) else { continue }
            remove(number, &context)
        }
    }

    /// Removes a part and gives back all that it holds. Only this method does, so nothing is given back twice.
    private mutating func remove(_ number: PartNumber, _ context: inout AgentContext) {
        guard let removed = parts.remove(number) else { return }
        release(removed.offer, number, &context)
        if removed.isCounted {
            context.partsUnderWay -= 1
            context.isRoomToBeLookedAt = true
        }
        context.actions.append(.releasePart(id, number))
    }

    private func release(
        _ withdrawn: UploadParts.OnWithdrawn?, _ number: PartNumber, _ context: inout AgentContext
    ) {
        guard let withdrawn else { return }
        context.connections[withdrawn.place.connection]?.returnCredit(withdrawn.earlyBytes)
        context.connections[withdrawn.place.connection]?.remove(UploadPart(upload: id, part: number))
    }
}

// MARK: - The session

extension PartTransfer {
    mutating func apply(_ change: SessionChange) {
        switch change {
        case .restored(let entries, let isQueried): parts.restore(entries, isQueried: isQueried)
        case .accepted: bytesResumed = parts.stored.bytes
        case .notStored:
            parts.forgetStored()
            bytesResumed = 0
        case .startedOver:
            parts.startOver()
            bytesResumed = 0
        case .adopted:
            parts.adopt()
            bytesResumed = 0
        case .queryAnswered: parts.queryAnswered()
        case .named(let partials, let candidateCount, let place, let plan):
            parts.expectList(of: candidateCount, in: place)
            parts.name(partials, in: place, of: plan)
        case .found(let bytes): bytesResumed = bytes
        }
    }

    /// Queues stored parts that the store turned out to lack; returns those that are sent again.
    mutating func sendAgain(_ wanted: [PartNumber]) -> [PartNumber] {
        let known = parts.sendAgain(wanted)
        bytesResumed -= min(bytesResumed, known.bytes)
        return known.numbers
    }

    // MARK: Digests

    /// Whether every part is stored, and none is under way.
    func isWhole(by plan: PartPlan?) -> Bool {
        guard let plan, !plan.isOnePart, let count = plan.partCount else { return false }
        return parts.isEmpty && parts.stored.count == Int(count)
    }

    /// The digests of the file, as far as they are known.
    func digests(by plan: PartPlan?, _ cryptography: any AgentCryptography) -> FileDigests {
        guard let plan, let count = plan.partCount else { return FileDigests() }
        if plan.isOnePart {
            let whole = PartNumber(1).flatMap { parts[$0]?.digest }
            return FileDigests(root: whole.flatMap { cryptography.rootDigest(of: [$0]) }, whole: whole)
        }
        let digests = parts.stored.digests
        return FileDigests(root: digests.count == Int(count) ? cryptography.rootDigest(of: digests) : nil)
    }
}
