import TransferCommon
package import WireProtocol

/// The pages of PART LIST that arrive in one slot, and the budget that they hold (specification §8.1, §9.1).
///
///     from       event                                                   to
///     empty      RESUME QUERY announces entries                          announced
///     empty      a page, not the last                                    partial
///     empty      the last page                                           whole
///     announced  a page                                                  announced
///     announced  the gateway takes the entries after the last page       empty
///     partial    a page, not the last                                    partial
///     partial    the last page                                           whole
///     partial    COMPLETE, or the slot opens                             empty
///     whole      a page begins the next list                             partial
///     whole      a page is the whole next list                           whole
///     whole      COMPLETE, or the slot opens                             empty
///
/// The budget of announced entries stays reserved after the gateway has taken them, because the session still holds
/// them in memory. `release` frees it when the slot opens or closes. The budget of the list before COMPLETE goes to the
/// session with the list.
package struct ListIntake: Hashable, Sendable {
    /// The phases of one slot's list, as the table in the comment on `ListIntake` lists them.
    package enum Phase: Hashable, Sendable {
        case empty
        /// RESUME QUERY has announced entries, whose budget is reserved; `missing` of them have not arrived.
        case announced(missing: UInt32)
        /// Pages of the list before COMPLETE have arrived, but not the last page.
        case partial
        /// All pages of the list before COMPLETE have arrived.
        case whole
    }

    /// What the gateway does with a page.
    package enum OnPage: Hashable, Sendable {
        /// The gateway reserves `excess` further bytes of the budget, then calls `append`.
        case fits(excess: UInt64)
        /// The gateway ends the connection; the text says what is wrong with the page.
        case violation(String)
        /// The gateway refuses the list: its part numbers do not ascend from page to page.
        case unordered
    }

    /// Memory of one entry with an ETag of usual length, rounded up.
    static let entryBytes: UInt64 = 192

    package private(set) var phase = Phase.empty
    /// The entries that have arrived since the last query or COMPLETE.
    package private(set) var entries: [PartListEntry] = []
    /// A running sum: a list may arrive in thousands of pages, and each would otherwise count all entries again.
    private var entriesBytes: UInt64 = 0
    /// Bytes of the budget that the list holds.
    package private(set) var bytesReserved: UInt64 = 0
    /// The number of entries at the end of the last window of progress.
    private var mark: Int?

    /// A slot without a list.
    package init() {}

    /// RESUME QUERY has announced entries, and `bytes(announced:)` are reserved.
    package init(announced count: UInt32) {
        phase = .announced(missing: count)
        bytesReserved = Self.bytes(announced: count)
    }

    /// The budget to reserve for entries that RESUME QUERY announces.
    package static func bytes(announced count: UInt32) -> UInt64 { UInt64(count) * entryBytes }

    /// The budget to reserve for these entries; a long ETag counts more.
    private static func bytes(of entries: [PartListEntry]) -> UInt64 {
        entries.reduce(0) { $0 + entryBytes + UInt64(max(0, $1.etag.utf8.count - 80)) }
    }

    /// Judges a page before it is kept, if a session may have `partsMax` parts.
    package func judge(_ page: PartList, partsMax: UInt32) -> OnPage {
        switch phase {
        case .announced(let missing):
            let count = UInt32(clamping: page.entries.count)
            guard count <= missing, page.isLast == (count == missing) else {
                let page = "a page of \(count) parts, \(page.isLast ? "" : "not ")the last"
                return .violation("PART LIST: \(page), where \(missing) are missing")
            }
            guard continues(page) else { return .unordered }
            return .fits(excess: Self.bytes(of: page.entries) - Self.bytes(announced: count))
        case .empty, .partial, .whole:
            // A page that follows the last page of a list begins a new list.
            let kept = phase == .whole ? (count: 0, bytes: 0) : (count: entries.count, bytes: entriesBytes)
            guard kept.count + page.entries.count <= Int(partsMax) else {
                return .violation("PART LIST: more than \(partsMax) parts")
            }
            let needed = kept.bytes + Self.bytes(of: page.entries)
            return .fits(excess: needed > bytesReserved ? needed - bytesReserved : 0)
        }
    }

    /// Keeps a page that fits. `bytes`: the budget that was reserved for it beyond `bytesReserved`.
    package mutating func append(_ page: PartList, reserved bytes: UInt64) {
        if phase == .whole { removeEntries() }
        entries += page.entries
        entriesBytes += Self.bytes(of: page.entries)
        bytesReserved += bytes
        switch phase {
        case .announced(let missing):
            phase = .announced(missing: missing - min(UInt32(clamping: page.entries.count), missing))
        case .empty, .partial, .whole: phase = page.isLast ? .whole : .partial
        }
    }

    /// Hands over the announced entries, after the last page.
    package mutating func takeAnnounced() -> [PartListEntry] {
        defer { empty() }
        return entries
    }

    /// Takes the list before COMPLETE, with the budget that is the caller's from now on; `nil` without its last page.
    package mutating func takeWhole() -> (entries: [PartListEntry], bytesReserved: UInt64)? {
        defer { empty() }
        guard phase == .whole else { return nil }
        defer { bytesReserved = 0 }
        return (entries, bytesReserved)
    }

    /// Empties the list when its slot opens or closes; returns how many bytes of the budget the caller frees.
    package mutating func release() -> UInt64 {
        defer { bytesReserved = 0 }
        empty()
        return bytesReserved
    }

    /// Whether entries have arrived since the last call. Called once in each window of progress.
    package mutating func hasMoved() -> Bool {
        defer { mark = entries.count }
        return mark != entries.count
    }

    private mutating func empty() {
        removeEntries()
        phase = .empty
    }

    private mutating func removeEntries() {
        entries = []
        entriesBytes = 0
        mark = nil  // A new list that has as many entries as the old one has moved, too.
    }

    private func continues(_ page: PartList) -> Bool {
        guard let last = entries.last, let first = page.entries.first else { return true }
        return last.part < first.part
    }
}
