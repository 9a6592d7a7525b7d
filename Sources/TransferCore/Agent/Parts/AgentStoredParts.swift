package import TransferCommon
package import WireProtocol

/// The parts of an upload that are known to be in the store, according to the gateway or to the journal.
package struct AgentStoredParts: Hashable, Sendable {
    private var entries: [PartNumber: PartListEntry] = [:]
    /// Bytes of the stored parts.
    package private(set) var bytes: UInt64 = 0

    package init() {}

    /// The entry of a stored part; `nil` for any other part.
    package subscript(number: PartNumber) -> PartListEntry? { entries[number] }

    package var isEmpty: Bool { entries.isEmpty }

    package var count: Int { entries.count }

    /// The entries, in the order of their part numbers.
    package var list: [PartListEntry] { entries.values.sorted { $0.part < $1.part } }

    /// The digests that are known, in the order of their part numbers.
    package var digests: [SHA256Digest] { list.compactMap(\.digest) }

    /// Adds a part that the store has. The entry replaces an earlier one of the part.
    package mutating func keep(_ entry: PartListEntry) {
        remove(entry.part)
        entries[entry.part] = entry
        bytes &+= entry.size
    }

    /// Removes a part that the store lacks, and returns its entry if it counted as stored.
    @discardableResult
    package mutating func remove(_ part: PartNumber) -> PartListEntry? {
        guard let entry = entries.removeValue(forKey: part) else { return nil }
        bytes &-= entry.size
        return entry
    }

    /// Removes all parts.
    package mutating func removeAll() { self = AgentStoredParts() }
}
