package import TransferCommon
package import WireProtocol

/// What a session knows of its parts in the store (specification §8.1, §9.5).
///
///     from     event                                                             to
///     unknown  the store confirms or lists the part                              stored
///     stored   the store confirms or lists the part again                        stored
///     stored   an offer proves the part by its MD5                               stored
///     stored   the store is seen to hold the part in another form, or not        unknown
///
/// - The table holds for each part. Nothing else takes a part back that an agent knows as *stored*.
/// - There is *evidence* of a part's digest in two cases: the store has confirmed bytes that this gateway received, and
///   one of the two has compared the digest; or the store's own list names the digest. A list of the agent is no
///   evidence, and neither is an MD5. A receipt needs evidence of every part.
package struct StoredParts: Hashable, Sendable {
    /// The stored parts.
    package private(set) var entries: [PartNumber: PartListEntry] = [:]
    /// The parts with evidence of their digest.
    private var evidence: [PartNumber: PartListEntry] = [:]

    /// A session of which no part is stored.
    package init() {}

    /// The store has confirmed a part that this gateway received.
    package mutating func confirmed(_ entry: PartListEntry) {
        entries[entry.part] = entry
        evidence[entry.part] = entry
    }

    /// The store has listed the parts of a session that resumes.
    package mutating func listed(_ listing: [PartListEntry], plan: PartPlan) {
        for entry in listing where plan.bytes(of: entry.part) != nil { entries[entry.part] = entry }
        compared(listing)
    }

    /// The store has listed the parts of a session that is adopted. An entry of this gateway is better than the one of
    /// the listing: it has the digest.
    package mutating func adopted(_ listing: [PartListEntry], plan: PartPlan) {
        for entry in listing where entries[entry.part] == nil && plan.bytes(of: entry.part) != nil {
            entries[entry.part] = entry
        }
    }

    /// The store has listed the parts before a completion. A part that it lists without a digest, and under another
    /// ETag than before, is another part, and nothing is known of it.
    package mutating func compared(_ listing: [PartListEntry]) {
        for entry in listing {
            if entry.digest != nil {
                evidence[entry.part] = entry
            } else if let known = evidence[entry.part], !known.isSameAsStored(entry) {
                evidence[entry.part] = nil
            }
        }
    }

    /// The store holds these parts in another form, or not at all.
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
