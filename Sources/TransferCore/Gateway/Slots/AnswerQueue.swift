import TransferCommon
import WireProtocol

/// The lists of stored parts that follow RESUME STATE and SESSION OPENED (specification §8.1), page by page.
///
/// - A list is kept as the numbers of its parts. The entries of a page are looked up when the page is sent.
/// - The next page of a connection is sent only while few bytes of earlier pages wait to be written there. So an agent
///   that asks often, or that reads slowly, costs the gateway no more memory than these bytes. Other frames of the
///   connection do not wait for the pages.
/// - The slots of a connection take turns.
/// - The numbers and the unwritten pages are reserved in the budget. If there is no room for a page, the page waits.
struct AnswerQueue: Hashable {
    private struct Rest: Hashable {
        let slot: Slot
        var parts: PartSet
        /// The memory of the set, which is reserved until the list or the slot ends.
        let bytesReserved: UInt64
    }

    private struct Outlet: Hashable {
        /// The device to which the budget is charged.
        let device: SHA256Digest
        /// The lists that have not ended. The first one has the next turn.
        var rests: [Rest] = []
        /// Bytes of pages that wait to be written to the connection, and that are reserved in the budget.
        var unwrittenBytes: UInt64 = 0
        /// The size of the next page, for which the budget had no room; `nil` if no page waits for room.
        var awaitedBytes: UInt64?
    }

    /// A page that can be sent.
    struct Page: Hashable {
        let list: PartList
        let frameBytes: UInt64
        fileprivate let rest: PartSet
    }

    /// How many waiting connections one event tries to serve, so that an event stays short.
    static let waitingTriedMax = 32

    private var outlets: [ConnectionID: Outlet] = [:]
    /// Connections whose next page waits for room in the budget, in the order of their turns.
    private var waiting: [ConnectionID] = []

    // MARK: Read-outs

    /// The slot whose next page may be sent now; `nil` without a list, or if enough bytes wait to be written.
    func nextSlot(on id: ConnectionID, _ limits: GatewayLimits) -> Attachment? {
        guard let outlet = outlets[id], outlet.unwrittenBytes < limits.unwrittenBytesMax, let first = outlet.rests.first
        else { return nil }
        return Attachment(connection: id, slot: first.slot)
    }

    /// The next page of a slot's list, if any. `entry` looks up a stored part; parts no longer stored are left out.
    func page(
        at attachment: Attachment, bytesMax: Int, entry: (PartNumber) -> PartListEntry?
    ) -> Page? {
        guard var rest = outlets[attachment.connection]?.rests.first(where: { $0.slot == attachment.slot })?.parts
        else { return nil }
        var entries: [PartListEntry] = []
        var bodyBytes = 0
        while bodyBytes < bytesMax, let number = rest.removeFirst() {
            guard let entry = entry(number) else { continue }
            entries.append(entry)
            bodyBytes += entry.bodyBytes
        }
        let list = PartList(entries: entries, isLast: rest.isEmpty)
        return Page(list: list, frameBytes: UInt64(list.frameBytes), rest: rest)
    }

    /// The device whose budget holds the lists of a connection.
    func device(on id: ConnectionID) -> SHA256Digest? { outlets[id]?.device }

    /// For each connection, its device and the bytes of the budget that its lists hold.
    var bytesReserved: [(device: SHA256Digest, bytes: UInt64)] {
        outlets.values.map { outlet in
            (outlet.device, outlet.rests.reduce(outlet.unwrittenBytes) { $0 + $1.bytesReserved })
        }
    }

    // MARK: Events

    /// Adds the list that follows in a slot. The caller has reserved the list's memory (`PartSet.memoryBytes`).
    mutating func begin(_ parts: PartSet, at attachment: Attachment, device: SHA256Digest) {
        let rest = Rest(slot: attachment.slot, parts: parts, bytesReserved: parts.memoryBytes)
        outlets[attachment.connection, default: Outlet(device: device)].rests.append(rest)
    }

    /// Counts the reserved bytes of a sent page, and ends the slot's turn; returns the bytes to free if the list ends.
    mutating func sent(_ page: Page, at attachment: Attachment) -> UInt64 {
        let id = attachment.connection
        guard let index = outlets[id]?.rests.firstIndex(where: { $0.slot == attachment.slot }),
            var rest = outlets[id]?.rests.remove(at: index)
        else { return 0 }
        outlets[id]?.unwrittenBytes += page.frameBytes
        guard !page.list.isLast else { return rest.bytesReserved }
        rest.parts = page.rest
        outlets[id]?.rests.append(rest)
        return 0
    }

    /// Lets a connection wait until the budget has room for its next page, of `bytes` bytes.
    mutating func waitsForRoom(_ bytes: UInt64, on id: ConnectionID) {
        guard let outlet = outlets[id] else { return }
        if outlet.awaitedBytes == nil { waiting.append(id) }
        outlets[id]?.awaitedBytes = bytes
    }

    /// Counts bytes of pages that were written; returns how many bytes of the budget the caller frees.
    mutating func written(_ bytes: UInt64, on id: ConnectionID) -> UInt64 {
        guard let outlet = outlets[id] else { return 0 }
        let freed = min(bytes, outlet.unwrittenBytes)
        outlets[id]?.unwrittenBytes -= freed
        removeIfIdle(id)
        return freed
    }

    /// Drops the list in a slot that is closed or left; returns how many bytes of the budget the caller frees.
    mutating func closed(_ attachment: Attachment) -> UInt64 {
        let id = attachment.connection
        guard let index = outlets[id]?.rests.firstIndex(where: { $0.slot == attachment.slot }),
            let rest = outlets[id]?.rests.remove(at: index)
        else { return 0 }
        removeIfIdle(id)
        return rest.bytesReserved
    }

    /// Drops the lists of a lost connection; returns how many bytes of the budget the caller frees.
    mutating func connectionLost(_ id: ConnectionID) -> UInt64 {
        guard let outlet = outlets.removeValue(forKey: id) else { return 0 }
        if outlet.awaitedBytes != nil { waiting.removeAll { $0 == id } }
        return outlet.rests.reduce(outlet.unwrittenBytes) { $0 + $1.bytesReserved }
    }

    /// Takes at most `count` connections whose next page waits for room, the longest waiting first.
    mutating func takeWaiting(_ count: Int) -> [(id: ConnectionID, bytes: UInt64)] {
        guard !waiting.isEmpty else { return [] }
        let taken = waiting.prefix(count).map { ($0, outlets[$0]?.awaitedBytes ?? 0) }
        waiting.removeFirst(taken.count)
        for (id, _) in taken { outlets[id]?.awaitedBytes = nil }
        return taken
    }

    private mutating func removeIfIdle(_ id: ConnectionID) {
        guard let outlet = outlets[id], outlet.rests.isEmpty, outlet.unwrittenBytes == 0 else { return }
        if outlet.awaitedBytes != nil { waiting.removeAll { $0 == id } }
        outlets[id] = nil
    }
}
