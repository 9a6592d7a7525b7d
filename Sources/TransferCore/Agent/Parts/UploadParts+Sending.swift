import TransferCommon
import WireProtocol

// Offers of parts, and the data that follows them (specification §7).

extension UploadParts {
    // MARK: Offering

    /// Whether a part may be offered now, while `sending` parts are being sent.
    func mayOffer(_ number: PartNumber, beside sending: Int, now: Instant) -> Bool {
        underWay[number]?.digestsToOffer(at: now) != nil && window.admits(number, beside: sending)
    }

    var sendingCount: Int { underWay.values.count(where: \.isSending) }

    /// Offers a part in a slot.
    mutating func offer(_ number: PartNumber, _ id: OfferID, in place: Attachment, of plan: PartPlan?) -> PartOffer? {
        guard let part = underWay[number], case .ready(let digests, _, _) = part.state else { return nil }
        underWay[number]?.begin(OutgoingPart.Offer(id, in: place))
        return PartOffer(
            part: number, size: part.size, isLast: plan?.isLast(number) == true, digest: digests.sha256,
            md5: digests.md5)
    }

    /// Begins to send the rest of a partial, in the slot in which the gateway has named it. Returns `send` if the
    /// gateway lacks bytes of the part, `whole` if it lacks none.
    mutating func resume(
        _ number: PartNumber, _ id: OfferID, in place: Attachment, from offset: ByteOffset, limit: ByteOffset
    ) -> OutgoingPart.OnCredit {
        guard let size = underWay[number]?.size else { return .nothing }
        let start = min(offset, size)
        underWay[number]?.begin(OutgoingPart.Offer(id, in: place, from: start, limit: min(limit, size)))
        return start < size ? .send : .whole
    }

    // MARK: Sending

    /// How many bytes of a part may be sent now.
    enum Sendable: Hashable {
        case nothing
        /// Within the limit that the gateway granted.
        case decided(UInt64)
        /// Before the decision, within the initial credit of the connection.
        case undecided(UInt64)
    }

    /// - Parameter mayGoEarly: whether the upload allows that data is sent before the decision.
    func sendable(_ number: PartNumber, on connection: ConnectionID, mayGoEarly: Bool) -> Sendable {
        guard let part = underWay[number], part.isSending, let offer = part.offer, offer.place.connection == connection
        else { return .nothing }
        guard offer.isUndecided else { return .decided(part.bytesToHand) }
        return mayGoEarly && mayGoUndecided(number, part) ? .undecided(part.bytesToHand) : .nothing
    }

    /// Whether bytes of a part may be sent before the gateway has decided. A part that was deferred waits for the
    /// decision, because it may be deferred again. A part of which bytes were sent before waits, too: the gateway may
    /// still hold them, and its decision says from which byte the data continues.
    private func mayGoUndecided(_ number: PartNumber, _ part: OutgoingPart) -> Bool {
        !part.wasDeferred && part.reached == 0 && !window.known.contains(number) && named.isComplete
            && !named.wereHeld.contains(number)
    }

    /// A chunk that is to be sent.
    struct OnSend: Hashable {
        var chunk: Chunk
        var offer: OfferID
        /// Whether the chunk counts against the initial credit of its connection.
        var isUndecided: Bool
        /// Whether the chunk is the last one of the part.
        var isWhole: Bool
    }

    /// Passes the next chunk of a part to the shell.
    mutating func send(_ number: PartNumber, bytes: UInt64, of upload: UploadID) -> OnSend? {
        guard let offer = underWay[number]?.offer else { return nil }
        let chunk = Chunk(
            connection: offer.place.connection, slot: offer.place.slot, upload: upload, part: number,
            offset: offer.handed, plainBytes: UInt32(clamping: bytes))
        let isWhole = underWay[number]?.handed(bytes) ?? true
        return OnSend(chunk: chunk, offer: offer.id, isUndecided: offer.isUndecided, isWhole: isWhole)
    }

    // MARK: Answers

    /// Takes a RECEIVED: returns what the higher limit leads to, and whether more has arrived than ever before.
    mutating func received(
        _ received: Received, at place: Attachment
    ) -> (credit: OutgoingPart.OnCredit, isProgress: Bool) {
        named.received(received, at: place)
        guard underWay[received.part]?.place == place else { return (.nothing, false) }
        let isProgress = underWay[received.part]?.arrived(upTo: received.received) ?? false
        return (underWay[received.part]?.raised(to: received.limit) ?? .nothing, isProgress)
    }

    /// Takes a STORED: returns whether the part was offered in this slot, and not only named there as a partial.
    mutating func isStored(_ stored: Stored, at place: Attachment) -> Bool {
        // STORED before the decision is about bytes that the gateway held before the offer, perhaps of other content.
        if let part = underWay[stored.part], part.place == place { return !part.isUndecided(in: place) }
        named.stored(stored, at: place)
        return false
    }

    // MARK: The end of an offer, and of a part

    /// What the end of an offer releases.
    struct OnWithdrawn: Hashable {
        var place: Attachment
        /// Bytes that no longer count against the initial credit.
        var earlyBytes: UInt64
    }

    /// The bytes of a part that were sent before the decision no longer count against the initial credit.
    mutating func takeEarlyBytes(_ number: PartNumber) -> OnWithdrawn? {
        guard let place = underWay[number]?.place, let bytes = underWay[number]?.takeEarlyBytes() else { return nil }
        return OnWithdrawn(place: place, earlyBytes: bytes)
    }

    /// Counts a failure of a part that may still succeed; returns their number, or `nil` if it is not under way.
    mutating func failed(_ number: PartNumber) -> Int? {
        underWay[number]?.failures += 1
        underWay[number]?.wasDeferred = true
        return underWay[number]?.failures
    }

    /// Ends the offer of a part that is not stored. The agent offers the part again at `moment` or later.
    mutating func withdraw(_ number: PartNumber, notBefore moment: Instant, waitsForStore: Bool = false) -> OnWithdrawn?
    {
        let withdrawn = takeEarlyBytes(number)
        underWay[number]?.withdraw(notBefore: moment, waitsForStore: waitsForStore)
        return withdrawn
    }

    /// What the removal of a part releases.
    struct OnRemoved: Hashable {
        var offer: OnWithdrawn?
        var isCounted: Bool
    }

    /// Removes a part; no other method does.
    mutating func remove(_ number: PartNumber) -> OnRemoved? {
        let offer = takeEarlyBytes(number)
        return underWay.removeValue(forKey: number).map { OnRemoved(offer: offer, isCounted: $0.isCounted) }
    }

    /// Lets parts that wait for the store be offered at once, at most `most` of them; returns their number.
    mutating func stopWaitingForStore(most: Int, now: Instant) -> Int {
        var count = 0
        for number in numbers where count < most {
            if underWay[number]?.storeIsWell(now: now) == true { count += 1 }
        }
        return count
    }
}
