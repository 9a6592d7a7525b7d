import TransferCommon
import WireProtocol

/// What a gateway has said of parts without being asked for each: that it holds the beginning of some, the partials,
/// and that the store has others, the candidates (specification §8.1).
///
/// What such a word is worth shows when the agent has read the part: it counts only where the agent's digest is the one
/// that was named. Until then the word is kept here. A partial belongs to the slot that named it, and is forgotten with
/// the slot; that the store has a part holds for as long as the session.
struct NamedParts: Hashable {
    struct Named: Hashable {
        enum Standing: Hashable {
            /// The gateway has the bytes below the offset, and the agent may send bytes below the limit in this slot.
            case partial(Attachment, offset: ByteOffset, limit: ByteOffset)
            case stored(etag: String)
        }

        var digest: SHA256Digest
        var standing: Standing
    }

    private var parts: [PartNumber: Named] = [:]
    /// Whether the agent knows which parts a gateway may hold bytes of: the session was opened in this run, or a
    /// gateway has named its partials in this run.
    private(set) var isComplete: Bool
    /// Parts that were ever named as partials: data of them waits for a decision, which says from which byte on.
    private(set) var wereHeld: Set<PartNumber> = []
    /// The slot in which a list of candidates has been announced and is not whole. Until it is, no part is read that
    /// may have to be offered with an MD5.
    private var listDue: Attachment?

    init(ofEarlierRun isOfEarlierRun: Bool = false) {
        isComplete = !isOfEarlierRun
    }

    subscript(number: PartNumber) -> Named? { parts[number] }

    var awaitsList: Bool { listDue != nil }

    /// A query has been answered. Until then each query that does not join asks for partials: one that was cut or
    /// refused has brought no knowledge.
    mutating func answered() { isComplete = true }

    mutating func name(_ partial: PartialPart, in slot: Attachment) {
        wereHeld.insert(partial.part)
        parts[partial.part] = Named(
            digest: partial.digest, standing: .partial(slot, offset: partial.offset, limit: partial.limit))
    }

    /// The store has the part, and says which digest.
    mutating func list(_ part: PartNumber, digest: SHA256Digest, etag: String) {
        parts[part] = Named(digest: digest, standing: .stored(etag: etag))
    }

    /// RESUME STATE or SESSION OPENED has announced candidates.
    mutating func expectList(of count: UInt32, in slot: Attachment) {
        if count > 0 { listDue = slot }
    }

    mutating func listEnded() { listDue = nil }

    mutating func received(_ received: Received, at slot: Attachment) {
        guard case .partial(slot, let offset, let limit)? = parts[received.part]?.standing else { return }
        parts[received.part]?.standing = .partial(slot, offset: offset, limit: max(limit, received.limit))
    }

    /// The store has confirmed a partial that the agent has not read yet.
    mutating func stored(_ stored: Stored, at slot: Attachment) {
        guard case .partial(slot, _, _)? = parts[stored.part]?.standing else { return }
        parts[stored.part]?.standing = .stored(etag: stored.etag)
    }

    mutating func forget(_ number: PartNumber) { parts[number] = nil }

    /// The gateway has evicted a partial.
    ///
    /// - Returns: whether it was named in this slot.
    mutating func evicted(_ number: PartNumber, at slot: Attachment) -> Bool {
        guard case .partial(slot, _, _)? = parts[number]?.standing else { return false }
        parts[number] = nil
        return true
    }

    /// Slots are closed or left: what was named there is not to be sent without an offer any more.
    mutating func forgetSlots(where isGone: (Attachment) -> Bool) {
        if let slot = listDue, isGone(slot) { listDue = nil }
        for (number, named) in parts {
            if case .partial(let slot, _, _) = named.standing, isGone(slot) { parts[number] = nil }
        }
    }
}
