package import TransferCommon
package import WireProtocol

// How the parts of a session end: the store answers, or the gateway gives them up.

extension SessionParts {
    // MARK: The store's answers

    /// Removes a part whose call the store has answered. `listed`: the number of parts that an agent has listed when
    /// it resumed. `keepsETag`: whether the memory of the part's ETag is reserved.
    package mutating func receivedAnswer(
        _ answer: StoreAnswer, part number: PartNumber, listed: Int, keepsETag: Bool = true
    ) -> (part: IncomingPart, result: OnAnswer)? {
        guard let part = table[number] else { return nil }
        defer { table[number] = nil }
        return (part, result(of: answer, to: part, listed: listed, keepsETag: keepsETag))
    }

    private mutating func result(
        of answer: StoreAnswer, to part: IncomingPart, listed: Int, keepsETag: Bool
    ) -> OnAnswer {
        let offer = part.offer
        let content = ContentEvidence.wholeDigest(offer.digest)
        switch answer {
        case .partStored(let etag):
            let entry = PartListEntry(part: offer.part, size: offer.size, digest: offer.digest, etag: etag)
            stored.confirmed(entry, keepsLongETag: keepsETag)
            return .stored(Stored(part: offer.part, etag: etag))
        case .objectStored(let object):
            // The store has all bytes of the part, and the gateway or the store has compared their digest.
            let proven = object.proven(by: content, isVerified: true)
            return .step(.settle(proven, bytes: offer.size, leavesUpload: false))
        case .failed(.uploadUnknown):
            // This part is still in the table, so `mayBeWhole` counts it as a part that the gateway knows of.
            let isPatient = mayBeWhole(listed: listed)
            return .step(.search(.uploadUnknown, isPatient: isPatient, retry: .nothing, content: .none))
        case .failed(.keyTaken) where isOnePart, .failed(.objectGone) where isOnePart:
            // The object may be the session's own: an earlier request may have made it, and the answer may have been
            // lost.
            return .step(searchForOnePart(part, .conditionFailed))
        case .failed(.conflict) where isOnePart:
            return .step(searchForOnePart(part, .conflict))
        case .failed(.outcomeUnknown) where isOnePart:
            return .failed(StoreError.unavailable(retryAfter: .zero).refusal(in: .part))
        case .failed(let failure) where failure.endsSession:
            return .step(.refuse(failure.refusal(in: .session)))
        default:
            return .failed(answer.refusal(in: .part))
        }
    }

    private func searchForOnePart(_ part: IncomingPart, _ cause: ObjectSearch.Cause) -> SessionStep {
        .search(
            cause, isPatient: true, retry: .onePart(owner: part.owner), content: .wholeDigest(part.offer.digest))
    }

    /// Forgets the answered call of a part that was given up; returns the part's digest, or `nil` for another request.
    package mutating func answeredGivenUp(_ request: StoreRequestID) -> SHA256Digest? {
        givenUp.isEmpty ? nil : givenUp.removeValue(forKey: request)
    }

    // MARK: Giving up

    /// Removes a part before the store has answered its call, and returns it; the caller cancels the call.
    package mutating func giveUp(_ number: PartNumber) -> IncomingPart? {
        guard let part = table[number] else { return nil }
        if let call = part.sending?.call { givenUp[call] = part.offer.digest }
        table[number] = nil
        return part
    }

    /// Removes the parts that fulfil a condition, in order.
    package mutating func giveUpAll(where condition: (IncomingPart) -> Bool = { _ in true }) -> [IncomingPart] {
        guard !table.isEmpty else { return [] }
        return table.numbers(where: condition).compactMap { giveUp($0) }
    }

    /// Gives up the parts of a lost connection, except those that the gateway keeps for a while.
    package mutating func connectionLost(_ connection: ConnectionID, now: Instant) -> [OnConnectionLost] {
        guard !table.isEmpty else { return [] }
        return table.numbers(where: { $0.owner?.connection == connection }).compactMap { number in
            if let call = table[number]?.connectionLost(now: now) { return .keeps(call) }
            return giveUp(number).map { .givesUp($0) }
        }
    }

    /// Forgets the stored parts, which an ended session no longer needs.
    package mutating func forgetStored() { beginAgain(partsMax: 0) }

    /// Begins with an empty table that has room for so many parts.
    package mutating func beginAgain(partsMax: Int) { stored = StoredParts(partsMax: partsMax) }

    // MARK: Stored parts

    /// Keeps the parts that the store has listed for a session that resumes.
    package mutating func listed(_ listing: [PartListEntry], keepsETags: Bool = true) {
        stored.listed(listing, plan: plan, keepsLongETags: keepsETags)
    }

    /// Keeps the parts that the store has listed for a session that is adopted.
    package mutating func adopted(_ listing: [PartListEntry], keepsETags: Bool = true) {
        stored.adopted(listing, plan: plan, keepsLongETags: keepsETags)
    }

    /// The store holds these parts with other content or another ETag, or does not hold them.
    package mutating func wanted(_ numbers: [PartNumber]) {
        stored.wanted(numbers)
    }

    // MARK: The last bytes of a one-part file

    /// Notes that the agent's COMPLETE has passed the checks.
    package mutating func completed(_ number: PartNumber) {
        table[number]?.completed()
    }

    /// Makes COMPLETE void, because the part is offered again, was deferred or dropped, or has failed.
    package mutating func voidComplete() {
        guard isOnePart, let number = PartNumber(1) else { return }
        table[number]?.completionVoided()
    }

    /// Passes the last bytes of a one-part file to the store, which the gateway has held back: with them the object
    /// appears. It needs a decision on the part and a valid COMPLETE. `checked`: the write conditions that the store
    /// itself checks.
    package mutating func releaseIfComplete(
        _ writeGuard: WriteGuard, _ checked: CheckedConditions.Request
    ) -> OnTail {
        guard isOnePart, let number = PartNumber(1), let part = table[number], part.tail == .wanted,
            let sending = part.sending
        else { return .wait }
        guard !writeGuard.mustLook(before: checked, asking: sending.condition) else { return .look }
        table[number]?.released()
        return .release(part.flow)
    }

    /// Holds the last bytes of the file until the store has answered the look-up of the key.
    package mutating func looks(_ look: StoreRequestID) {
        guard let number = PartNumber(1) else { return }
        table[number]?.looks(look)
    }

    /// Releases the last bytes, because the look-up allows the write; returns the flow, or `nil` if COMPLETE is void.
    package mutating func looked(_ number: PartNumber) -> FlowID? {
        table[number]?.looked()
        guard let part = table[number], part.tail == .released else { return nil }
        return part.flow
    }
}

extension StoreError {
    /// Whether the failure ends the session, because the store would refuse the part again.
    var endsSession: Bool {
        switch reason {
        case .denied, .bucketMissing, .keyTaken, .keyUnsupported, .tooLarge, .unsupported: true
        case .uploadUnknown, .unavailable, .throttled, .completionInProgress, .damaged, .outcomeUnknown, .full,
            .digestMismatch, .sizeMismatch, .partsInvalid, .bodyFailed, .cancelled, .objectGone, .conflict:
            false
        }
    }
}

extension StoredObject {
    /// An object of known parts, with the evidence that follows from their digests: the store itself need not keep a
    /// digest. `isVerified`: whether each of these digests was compared with the bytes.
    func proven(by evidence: ContentEvidence, isVerified: Bool) -> StoredObject {
        var proven = self
        proven.evidence = evidence
        proven.isVerified = isVerified
        return proven
    }
}

extension PartListEntry {
    /// Whether two entries name the same stored part, with or without quotes around the ETag: stores differ in that.
    func isSameAsStored(_ other: PartListEntry) -> Bool {
        size == other.size && etag.utf8.filter { $0 != 0x22 } == other.etag.utf8.filter { $0 != 0x22 }
    }
}
