package import TransferCommon
package import WireProtocol

/// What a session knows of its parts in the store (specification §8.1, §9.5).
///
///     from     event                                                             to
///     unknown  the store confirms or lists the part                              stored
///     stored   the store confirms or lists the part again                        stored
///     stored   an offer proves the part by its MD5                               stored
///     stored   the store holds the part in another form, or not at all           unknown
///
/// - Each part goes through these states. The table has every case in which a part that an agent knows as *stored*
///   becomes unknown.
/// - There is *evidence* of a part's digest in two cases. First: this gateway received the bytes, the store confirmed
///   them, and the gateway or the store compared the digest. Second: the store's own list names the digest. The agent's
///   list and an MD5 are no evidence. A receipt needs evidence of every part.
package struct StoredParts: Hashable, Sendable {
    /// The stored parts.
    package private(set) var entries: [PartNumber: PartListEntry] = [:]
    /// The parts with evidence of their digest.
    private var evidence: [PartNumber: PartListEntry] = [:]

    /// A session of which no part is stored.
    package init() {}

    /// Keeps a part that this gateway received and the store has confirmed.
    package mutating func confirmed(_ entry: PartListEntry) {
        entries[entry.part] = entry
        evidence[entry.part] = entry
    }

    /// Keeps the parts that the store lists, because the session resumes.
    package mutating func listed(_ listing: [PartListEntry], plan: PartPlan) {
        for entry in listing where plan.bytes(of: entry.part) != nil { entries[entry.part] = entry }
        compared(listing)
    }

    /// Keeps the parts that the store lists, because the session is adopted. An entry that this gateway has already is
    /// kept, because the store's list may lack the digest of the part.
    package mutating func adopted(_ listing: [PartListEntry], plan: PartPlan) {
        for entry in listing where entries[entry.part] == nil && plan.bytes(of: entry.part) != nil {
            entries[entry.part] = entry
        }
    }

    /// Updates the evidence by the store's list of parts. If the list names a part without a digest, and under another
    /// ETag than before, the part has been replaced. Then the evidence of its digest is dropped.
    package mutating func compared(_ listing: [PartListEntry]) {
        for entry in listing {
            if entry.digest != nil {
                evidence[entry.part] = entry
            } else if let known = evidence[entry.part], !known.isSameAsStored(entry) {
                evidence[entry.part] = nil
            }
        }
    }

    /// Removes these parts, because the store holds them with other content or another ETag, or does not hold them.
    package mutating func wanted(_ parts: [PartNumber]) {
        for part in parts { entries[part] = nil }
    }

    /// The stored part that an offer names: by its digest, or by its MD5 if the store keeps no digest.
    package mutating func form(of offer: PartOffer) -> PartListEntry? {
        guard let known = entries[offer.part], known.size == offer.size else { return nil }
        if let digest = known.digest { return digest == offer.digest ? known : nil }
        guard let md5 = offer.md5, known.etag.lowercased().filter({ $0 != "\"" }) == md5.description else { return nil }
        let proven = PartListEntry(part: known.part, size: known.size, digest: offer.digest, etag: known.etag)
        entries[offer.part] = proven
        return proven
    }

    /// Whether there is evidence that each part of a list has the digest that the list names.
    package func prove(_ list: [PartListEntry]) -> Bool {
        list.allSatisfy { listed in
            guard let known = evidence[listed.part], let digest = known.digest else { return false }
            return digest == listed.digest && known.isSameAsStored(listed)
        }
    }
}
