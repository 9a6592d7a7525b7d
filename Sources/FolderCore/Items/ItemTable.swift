import TransferCommon

/// All items, by place, by inode and by key. Only `visit` takes time proportional to the number of items.
package struct ItemTable: Hashable, Sendable {
    /// No place.
    static let none = UInt32.max

    private struct Inode: Hashable {
        var folder: FolderID
        var inode: UInt64
    }

    /// The ends of the list of a folder's items, the one seen longest ago first.
    private struct Ends: Hashable {
        var first = ItemTable.none
        var last = ItemTable.none
    }

    private var items: [Item?] = []
    private var free: [UInt32] = []
    private var generation: UInt32 = 0
    /// The number of the last change of a phase. The numbers are unique among all items, because a place is used again.
    private var turn: UInt32 = 0
    private var byInode: [Inode: UInt32] = [:]
    private var byKey: [ObjectKey: UInt32] = [:]
    /// The items that wait for a key that another item has. Some may have ceased to wait.
    private var awaiting: [ObjectKey: Set<ItemID>] = [:]
    /// The items whose awaited key has become free.
    private var freed: [ItemID] = []
    private var ends: [FolderID: Ends] = [:]
    private var counts: [FolderID: [ItemState: Int]] = [:]
    private var flushes = FlushCounts()
    /// The present time, in seconds since the computer was started.
    var seconds: UInt32 = 0

    init() {}

    /// The number of items.
    package var count: Int { items.count - free.count }

    /// The item in a place that is in use. For a place that is not, the result is `nil`.
    subscript(place: UInt32) -> Item? {
        place < items.count ? items[Int(place)] : nil
    }

    /// The item of this id, unless it has left the table.
    package subscript(id: ItemID) -> Item? {
        guard let item = self[id.place], item.generation == id.generation else { return nil }
        return item
    }

    func id(of place: UInt32) -> ItemID? {
        self[place].map { ItemID(place: place, generation: $0.generation) }
    }

    func place(of folder: FolderID, inode: UInt64) -> UInt32? { byInode[Inode(folder: folder, inode: inode)] }

    func owner(of key: ObjectKey) -> UInt32? { byKey[key] }

    /// The number of a folder's items in a state.
    package func count(of folder: FolderID, in state: ItemState) -> Int { counts[folder]?[state] ?? 0 }

    /// The item of the folder that scans have not seen for the longest time.
    func leastRecentlySeen(of folder: FolderID) -> UInt32? {
        guard let first = ends[folder]?.first, first != Self.none else { return nil }
        return first
    }

    /// Calls `body` with each item and its place. This takes time proportional to the number of items.
    func visit(_ body: (UInt32, Item) -> Void) {
        for place in items.indices {
            if let item = items[place] { body(UInt32(place), item) }
        }
    }

    /// Whether all items that were under way when this mark was made have come to an end.
    func isFlushed(_ mark: FlushMark) -> Bool { flushes.isFlushed(mark) }

    // MARK: Changes

    /// Marks the items that are under way.
    mutating func markFlush() -> FlushMark { flushes.mark() }

    /// Adds an item that has a new id.
    mutating func add(
        _ folder: FolderID, _ path: ItemPath, _ stamp: FileStamp, key: ObjectKey?, phase: ItemPhase
    ) -> UInt32 {
        generation &+= 1
        let place: UInt32
        if let used = free.popLast() {
            place = used
        } else {
            place = UInt32(items.count)
            items.append(nil)
        }
        insert(
            Item(
                folder: folder, generation: generation, path: path, key: key, stamp: stamp, head: .none, phase: phase),
            at: place)
        return place
    }

    /// The largest gap between the places of two records. A damaged record could otherwise claim memory for any place.
    private static let gapMax = 1_000_000

    /// Adds an item of the journal, whose id it keeps. A record whose place or inode is in use is not added, nor one
    /// whose place is far behind that of the record before.
    mutating func restore(_ record: ItemRecord, phase: ItemPhase) -> UInt32? {
        let place = record.id.place
        guard place < Self.none, Int(place) < items.count + Self.gapMax, self[place] == nil,
            self.place(of: record.folder, inode: record.stamp.inode) == nil
        else { return nil }
        while items.count <= place {
            free.append(UInt32(items.count))
            items.append(nil)
        }
        generation = max(generation, record.id.generation)
        var item = Item(
            folder: record.folder, generation: record.id.generation, path: record.path, key: record.key,
            stamp: record.stamp, head: record.head, phase: phase)
        item.stored = record.stored
        item.keyNumber = record.keyNumber
        item.isFromBefore = true
        insert(item, at: place)
        return place
    }

    /// Makes the places that no record has taken free for new items. Called once, when all records are restored.
    mutating func finishRestoring() {
        free = items.indices.reversed().filter { items[$0] == nil }.map(UInt32.init)
    }

    private mutating func insert(_ item: Item, at place: UInt32) {
        turn &+= 1
        items[Int(place)] = item
        items[Int(place)]?.turn = turn
        items[Int(place)]?.pendingSince = seconds
        if item.phase.state.isUnderWay { items[Int(place)]?.flush = flushes.enter() }
        byInode[Inode(folder: item.folder, inode: item.stamp.inode)] = place
        counts[item.folder, default: [:]][item.phase.state, default: 0] += 1
        append(place, to: item.folder)
    }

    mutating func remove(_ place: UInt32) {
        guard let item = self[place] else { return }
        unlink(place)
        let inode = Inode(folder: item.folder, inode: item.stamp.inode)
        if byInode[inode] == place { byInode[inode] = nil }
        if let key = item.key {
            let id = ItemID(place: place, generation: item.generation)
            if byKey[key] == place { giveUp(key) } else { stopAwaiting(key, id) }
        }
        counts[item.folder]?[item.phase.state, default: 0] -= 1
        if item.phase.state.isUnderWay { flushes.leave(item.flush) }
        items[Int(place)] = nil
        free.append(place)
    }

    /// Changes an item in place. Phase, inode and key have functions of their own.
    mutating func update(_ place: UInt32, _ change: (inout Item) -> Void) {
        guard place < items.count, var item = items[Int(place)] else { return }
        items[Int(place)] = nil
        change(&item)
        items[Int(place)] = item
    }

    /// Sets the phase. Entries of queues for the earlier phase become void.
    mutating func set(_ place: UInt32, _ phase: ItemPhase) {
        guard let item = self[place] else { return }
        counts[item.folder, default: [:]][item.phase.state, default: 0] -= 1
        counts[item.folder, default: [:]][phase.state, default: 0] += 1
        turn &+= 1
        let turn = turn
        let (before, after) = (item.phase.state, phase.state)
        let pendingSince = !before.isPending && after.isPending ? seconds : item.pendingSince
        var flush = item.flush
        if before.isUnderWay, !after.isUnderWay { flushes.leave(flush) }
        if !before.isUnderWay, after.isUnderWay { flush = flushes.enter() }
        update(place) {
            $0.phase = phase
            $0.turn = turn
            $0.pendingSince = pendingSince
            $0.flush = flush
        }
    }

    /// Gives the item this key if no other item has it; returns whether the item has it now.
    mutating func claim(_ key: ObjectKey, for place: UInt32) -> Bool {
        guard let item = self[place], byKey[key] == nil || byKey[key] == place else { return false }
        // Both are ObjectKey.
        if let former = item.key, byKey[former] == place, former != key { giveUp(former) }
        byKey[key] = place
        update(place) {
            $0.key = key
            $0.ownsKey = true
        }
        return true
    }

    /// Takes an item's key away, for another item.
    mutating func release(keyOf place: UInt32) {
        guard let item = self[place] else { return }
        if let key = item.key, byKey[key] == place { giveUp(key) }
        update(place) { $0.ownsKey = false }
    }

    private mutating func giveUp(_ key: ObjectKey) {
        byKey[key] = nil
        guard let waiting = awaiting.removeValue(forKey: key) else { return }
        // The order of a set differs from run to run.
        freed += waiting.sorted { $0.place < $1.place }
    }

    /// Notes that the item waits for its key, which another item has.
    mutating func awaitKey(_ place: UInt32) {
        guard let key = self[place]?.key, let id = id(of: place) else { return }
        awaiting[key, default: []].insert(id)
    }

    /// A file that leaves is taken from the list, which would otherwise grow with every new file of the same key.
    private mutating func stopAwaiting(_ key: ObjectKey, _ id: ItemID) {
        guard awaiting[key]?.remove(id) != nil, awaiting[key]?.isEmpty == true else { return }
        awaiting[key] = nil
    }

    /// Takes the items that have waited for a key that another item has given up.
    mutating func takeFreed() -> [ItemID] {
        defer { freed = [] }
        return freed
    }

    /// Notes that a scan has seen the item.
    mutating func saw(_ place: UInt32, in generation: UInt32) {
        guard let item = self[place] else { return }
        unlink(place)
        update(place) { $0.seenIn = generation }
        append(place, to: item.folder)
    }

    private mutating func append(_ place: UInt32, to folder: FolderID) {
        let last = ends[folder]?.last ?? Self.none
        update(place) { ($0.earlier, $0.later) = (last, Self.none) }
        update(last) { $0.later = place }
        if ends[folder]?.first ?? Self.none == Self.none { ends[folder, default: Ends()].first = place }
        ends[folder, default: Ends()].last = place
    }

    private mutating func unlink(_ place: UInt32) {
        guard let item = self[place] else { return }
        update(item.earlier) { $0.later = item.later }
        update(item.later) { $0.earlier = item.earlier }
        if ends[item.folder]?.first == place { ends[item.folder]?.first = item.later }
        if ends[item.folder]?.last == place { ends[item.folder]?.last = item.earlier }
    }
}
