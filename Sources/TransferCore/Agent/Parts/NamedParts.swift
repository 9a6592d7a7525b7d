import TransferCommon
import WireProtocol

/// Parts that a gateway has named without an offer: partials, of which the gateway holds the beginning, and candidates,
/// which the store has (specification §8.1).
///
/// The agent relies on a named part only if its digest equals the digest that the agent computes. For that, the agent
/// has to read the part; until then the part is kept here. A partial belongs to the slot in which it was named, and is
/// forgotten with the slot. A candidate is valid for as long as the session.
struct NamedParts: Hashable, Sendable {
    struct Named: Hashable, Sendable {
        enum Standing: Hashable, Sendable {
            /// The gateway has the bytes below the offset. The agent may send bytes below the limit in this slot.
            case partial(Attachment, offset: ByteOffset, limit: ByteOffset)
            case stored(etag: String)
        }

        var digest: SHA256Digest
        var standing: Standing
    }

    private var parts: [PartNumber: Named] = [:]
    /// Whether the agent knows every part of which a gateway may hold bytes: this run opened the session, or a gateway
    /// has named its partials in this run.
    private(set) var isComplete: Bool
    /// Parts that were ever named as partials: their data waits for a decision, which says where the data begins.
    private(set) var wereHeld: Set<PartNumber> = []
    /// The slot in which a list of candidates has been announced and is not complete. Until the list is complete, no
    /// part is read, because the list says which parts need an MD5 in their offer.
    private var listDue: Attachment?

    init(ofEarlierRun isOfEarlierRun: Bool = false) {
        isComplete = !isOfEarlierRun
    }

    subscript(number: PartNumber) -> Named? { parts[number] }

    var awaitsList: Bool { listDue != nil }

    /// RESUME QUERY has been answered, and the gateway has named its partials. Before the first answer, every query
    /// asks for partials, except one by which the session joins a further connection.
    mutating func answered() { isComplete = true }

    mutating func name(_ partial: PartialPart, in slot: Attachment) {
        wereHeld.insert(partial.part)
        parts[partial.part] = Named(
            digest: partial.digest, standing: .partial(slot, offset: partial.offset, limit: partial.limit))
    }

    /// The store has the part and lists its digest.
    mutating func list(_ part: PartNumber, digest: SHA256Digest, etag: String) {
        parts[part] = Named(digest: digest, standing: .stored(etag: etag))
    }

    /// Waits for a list of candidates, which RESUME STATE or SESSION OPENED has announced.
    mutating func expectList(of count: UInt32, in slot: Attachment) {
        if count > 0 { listDue = slot }
    }

    mutating func listEnded() { listDue = nil }

    mutating func received(_ received: Received, at slot: Attachment) {
        guard case .partial(slot, let offset, let limit)? = parts[received.part]?.standing else { return }
        parts[received.part]?.standing = .partial(slot, offset: offset, limit: max(limit, received.limit))
    }

    /// Notes that the store has confirmed a partial that the agent has not read yet.
    mutating func stored(_ stored: Stored, at slot: Attachment) {
        guard case .partial(slot, _, _)? = parts[stored.part]?.standing else { return }
        parts[stored.part]?.standing = .stored(etag: stored.etag)
    }

    mutating func forget(_ number: PartNumber) { parts[number] = nil }

    /// What follows for a part that has been read.
    enum OnRead: Hashable {
        /// The part needs an offer.
        case offer
        /// The store has the part.
        case stored(etag: String)
        /// Data of the part continues in the slot in which the part was named.
        case resume(Attachment, from: ByteOffset, limit: ByteOffset)
        /// Chunks of an earlier offer are queued. The part is judged again later.
        case wait
    }

    /// The state of the slot in which a partial was named.
    enum Slot: Hashable {
        case closed
        /// Chunks of an earlier offer are queued; the gateway would take them for data that continues the part.
        case hasChunks
        case free
    }

    /// Judges a part that the agent has read, by its digest. `maySkip`: whether a candidate may count as stored now.
    /// `slot`: the state of the slot in which the part was named as a partial.
    mutating func judge(_ number: PartNumber, _ digest: SHA256Digest, maySkip: Bool, slot: Slot) -> OnRead {
        guard let known = parts[number] else { return .offer }
        guard known.digest == digest else {
            // The digest in the offer tells the gateway that the bytes it holds are of other content.
            forget(number)
            return .offer
        }
        switch known.standing {
        case .stored(let etag):
            guard maySkip else { return .offer }
            forget(number)
            return .stored(etag: etag)
        case .partial(let place, let offset, let limit):
            if slot == .hasChunks { return .wait }
            forget(number)
            return slot == .closed ? .offer : .resume(place, from: offset, limit: limit)
        }
    }

    /// Forgets a partial that the gateway has evicted; returns whether the partial was named in this slot.
    mutating func evicted(_ number: PartNumber, at slot: Attachment) -> Bool {
        guard case .partial(slot, _, _)? = parts[number]?.standing else { return false }
        parts[number] = nil
        return true
    }

    /// Slots are closed or left: parts that were named there need an offer from now on.
    mutating func forgetSlots(where isGone: (Attachment) -> Bool) {
        if let slot = listDue, isGone(slot) { listDue = nil }
        for (number, named) in parts {
            if case .partial(let slot, _, _) = named.standing, isGone(slot) { parts[number] = nil }
        }
    }
}
