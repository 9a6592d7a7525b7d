package import TransferCommon
package import WireProtocol

/// What a session knows of its parts in the store (specification §8.1, §9.5).
///
///     from     event                                                             to
///     unknown  the store confirms or lists the part                              stored
///     stored   the store confirms or lists the part again: ETag and evidence     stored
///     stored   an offer has the MD5 that the ETag shows: the digest is known     stored
///     stored   the store has other content or another ETag, or no such part      unknown
///
/// - Each part goes through these states. The table has every case in which a part that an agent knows as *stored*
///   becomes unknown.
/// - There is *evidence* of a part's digest in two cases. First: this gateway received the bytes, the store confirmed
///   them, and the gateway or the store compared the digest. Second: the store's own list names the digest. The agent's
///   list and an MD5 are no evidence. A receipt needs evidence of every part.
/// - A part takes `recordBytes`, and an ETag of unusual form takes more. `memoryBytes` is what the session reserves.
package struct StoredParts: Hashable, Sendable {
    /// One stored part. The parts of a session are one array in the order of their numbers, because an array has no
    /// unused places between its elements.
    private struct Record: Hashable {
        /// Zero if the digest is not known.
        let digest: SHA256Digest
        let size: UInt64
        let etag: CompactETag
        let hasDigest: Bool
        let hasEvidence: Bool
        let part: PartNumber

        init(_ entry: PartListEntry, hasEvidence: Bool, keepsLongETag: Bool) {
            let etag = CompactETag(entry.etag, digest: entry.digest)
            self.digest = entry.digest ?? .zero
            self.size = entry.size
            self.etag = keepsLongETag || etag.outsideBytes == 0 ? etag : .unkept
            self.hasDigest = entry.digest != nil
            self.hasEvidence = hasEvidence
            self.part = entry.part
        }

        var entry: PartListEntry? {
            let digest = hasDigest ? digest : nil
            return etag.text(digest: digest).map {
                PartListEntry(part: part, size: size, digest: digest, etag: $0)
            }
        }
    }

    /// Memory of one part.
    package static var recordBytes: UInt64 { UInt64(MemoryLayout<Record>.stride) }

    private var records: [Record] = []
    /// The most parts that the session may have. Further parts stay unknown.
    private let partsMax: Int
    /// Memory of the ETags that are strings.
    private var longETagBytes: UInt64 = 0

    /// A session of which no part is stored.
    package init(partsMax: Int) {
        self.partsMax = partsMax
    }

    // MARK: Read-outs

    package var count: Int { records.count }

    /// Memory of all parts that the session may have, and of the ETags of unusual form that it has now.
    package var memoryBytes: UInt64 { UInt64(partsMax) * Self.recordBytes + longETagBytes }

    /// Memory that the ETags of these parts take beyond `recordBytes`.
    package static func longETagBytes(of entries: [PartListEntry]) -> UInt64 {
        entries.reduce(0) { $0 + CompactETag($1.etag, digest: $1.digest).outsideBytes }
    }

    /// Memory that the ETag of a part that the store has taken needs beyond `recordBytes`.
    package static func longETagBytes(of answer: StoreAnswer, digest: SHA256Digest?) -> UInt64 {
        guard case .partStored(let etag) = answer else { return 0 }
        return CompactETag(etag, digest: digest).outsideBytes
    }

    /// A stored part; `nil` if the part is unknown, or if the budget had no room for its ETag.
    package subscript(part: PartNumber) -> PartListEntry? {
        let place = place(of: part)
        return place.isTaken ? records[place.index].entry : nil
    }

    /// Whether the store has the part, even if its ETag is not kept.
    package func contains(_ part: PartNumber) -> Bool { place(of: part).isTaken }

    /// The stored parts that a set lacks; with `hasNoDigest`, only those whose digest is not known.
    package func numbers(except named: PartSet, hasNoDigest: Bool) -> PartSet {
        var numbers = PartSet()
        for record in records where !named.contains(record.part) && !(hasNoDigest && record.hasDigest) {
            if record.etag != .unkept { numbers.insert(record.part) }
        }
        return numbers
    }

    /// Whether there is evidence that a part has the digest that a list names.
    package func hasEvidence(of listed: PartListEntry) -> Bool {
        let place = place(of: listed.part)
        guard place.isTaken, records[place.index].hasEvidence, let digest = listed.digest else { return false }
        return records[place.index].digest == digest && self[listed.part]?.isSameAsStored(listed) == true
    }

    /// Where a part is, or where it belongs. Parts mostly arrive in order, so the last place is tried first.
    private func place(of part: PartNumber) -> (index: Int, isTaken: Bool) {
        guard let last = records.last, part <= last.part else { return (records.count, false) }
        var (low, high) = (0, records.count - 1)
        while low < high {
            let middle = (low + high) / 2
            if records[middle].part < part { low = middle + 1 } else { high = middle }
        }
        return (low, records[low].part == part)
    }

    // MARK: Events

    /// Keeps a part that the store has confirmed. `keepsLongETag`: whether memory for an unusual ETag is reserved.
    package mutating func confirmed(_ entry: PartListEntry, keepsLongETag: Bool = true) {
        put(Record(entry, hasEvidence: true, keepsLongETag: keepsLongETag))
    }

    /// Keeps the listed parts of a session that resumes. `keepsLongETags`: whether memory for unusual ETags is
    /// reserved.
    package mutating func listed(_ listing: [PartListEntry], plan: PartPlan, keepsLongETags: Bool = true) {
        reserveCapacity(listing.count)
        for entry in listing where plan.bytes(of: entry.part) != nil {
            if entry.digest == nil, let known = self[entry.part], hasEvidence(of: known), known.isSameAsStored(entry) {
                continue  // The gateway knows more of this part than the list says.
            }
            put(Record(entry, hasEvidence: entry.digest != nil, keepsLongETag: keepsLongETags))
        }
    }

    /// Keeps the listed parts of a session that is adopted, unless this gateway has them already: the list may lack
    /// their digests. `keepsLongETags`: whether memory for ETags of unusual form is reserved.
    package mutating func adopted(_ listing: [PartListEntry], plan: PartPlan, keepsLongETags: Bool = true) {
        listed(listing.filter { !contains($0.part) }, plan: plan, keepsLongETags: keepsLongETags)
    }

    /// The store holds these parts with other content or another ETag, or does not hold them.
    package mutating func wanted(_ parts: [PartNumber]) {
        var wanted = PartSet()
        for part in parts where contains(part) { wanted.insert(part) }
        guard !wanted.isEmpty else { return }
        records.removeAll { wanted.contains($0.part) }
        longETagBytes = records.reduce(0) { $0 + $1.etag.outsideBytes }
    }

    /// The stored part that an offer names: by its digest, or by its MD5 if the store keeps no digest.
    package mutating func form(of offer: PartOffer) -> PartListEntry? {
        guard let known = self[offer.part], known.size == offer.size else { return nil }
        if let digest = known.digest { return digest == offer.digest ? known : nil }
        guard let md5 = offer.md5, known.etag.lowercased().filter({ $0 != "\"" }) == md5.description else { return nil }
        let proven = PartListEntry(part: known.part, size: known.size, digest: offer.digest, etag: known.etag)
        put(Record(proven, hasEvidence: false, keepsLongETag: true))
        return proven
    }

    private mutating func put(_ record: Record) {
        let place = place(of: record.part)
        if place.isTaken {
            longETagBytes -= records[place.index].etag.outsideBytes
            records[place.index] = record
        } else {
            guard records.count < partsMax else { return }
            if records.count == records.capacity { reserveCapacity(max(4, 2 * records.count)) }
            records.insert(record, at: place.index)
        }
        longETagBytes += record.etag.outsideBytes
    }

    /// Grows the array, but not beyond the memory that is reserved.
    private mutating func reserveCapacity(_ count: Int) {
        records.reserveCapacity(min(count, partsMax))
    }
}
