import TransferCommon

/// An entry of a queue of items. It is void once the item's phase has changed.
struct Wake: Hashable, Comparable, Sendable {
    var at: Instant
    var place: UInt32
    var turn: UInt32

    static func < (left: Wake, right: Wake) -> Bool { left.at < right.at }
}

/// The moments at which items have something to do.
struct WakeQueue: Hashable, Sendable {
    private var wakes = Heap<Wake>()

    /// The next moment, which may belong to an entry that is void.
    var nextDeadline: Instant? { wakes.first?.at }

    /// Adds a moment for the present phase of an item.
    mutating func add(_ place: UInt32, at moment: Instant, _ items: ItemTable) {
        guard let item = items[place] else { return }
        wakes.push(Wake(at: moment, place: place, turn: item.turn))
    }

    /// Takes the next item that is due; `nil` if none is.
    mutating func popDue(_ items: ItemTable, now: Instant) -> UInt32? {
        while let first = wakes.first, first.at <= now {
            _ = wakes.popFirst()
            if items[first.place]?.turn == first.turn { return first.place }
        }
        dropVoid(items)
        return nil
    }

    /// Removes void entries at the front, so that no timer is set for them.
    mutating func dropVoid(_ items: ItemTable) {
        while let first = wakes.first, items[first.place]?.turn != first.turn { _ = wakes.popFirst() }
    }
}

/// An item that waits for its turn to be sent, or to be removed.
struct Turn: Hashable, Comparable, Sendable {
    /// The less, the sooner.
    var rank: UInt64
    /// Decides between equal ranks; empty where the rank is enough.
    var name: [UInt8]
    var place: UInt32
    var turn: UInt32

    static func < (left: Turn, right: Turn) -> Bool {
        if left.rank != right.rank { return left.rank < right.rank }
        guard left.name == right.name else { return left.name.lexicographicallyPrecedes(right.name) }
        return left.place < right.place
    }
}

/// Items in the order of their turns.
struct TurnQueue: Hashable, Sendable {
    private var turns = Heap<Turn>()

    /// The first turn that is not void; void ones before it are removed.
    mutating func first(_ items: ItemTable) -> Turn? {
        while let first = turns.first {
            if items[first.place]?.turn == first.turn { return first }
            _ = turns.popFirst()
        }
        return nil
    }

    /// Adds a turn. If most turns are void, they are removed, so that the queue does not grow with every change of a
    /// file that is never sent.
    mutating func push(_ turn: Turn, _ items: ItemTable) {
        turns.push(turn)
        guard turns.count > 2 * items.count + 1_024 else { return }
        var live = Heap<Turn>()
        while let next = first(items) {
            _ = turns.popFirst()
            live.push(next)
        }
        turns = live
    }

    mutating func popFirst() -> Turn? { turns.popFirst() }

    /// The rank of the first turn, which may be void.
    var firstRank: UInt64? { turns.first?.rank }
}

extension Turn {
    /// The turn of an item to be sent: higher priorities first, then by the folder's order.
    static func sending(_ item: Item, at place: UInt32, _ order: FolderRules.Order) -> Turn {
        let time = timeRank(item.stamp.modification)
        let (rank, name): (UInt64, [UInt8]) =
            switch order {
            case .oldest: (time, [])
            case .newest: (rankMax - time, [])
            case .smallest: (min(item.stamp.size, rankMax), [])
            case .name: (0, item.path.bytes)
            }
        let priority = UInt64(9 - min(item.priority, 9)) << 60
        return Turn(rank: priority | rank, name: name, place: place, turn: item.turn)
    }

    /// The priority of an item to be sent, from 0 to 9.
    var priority: UInt8 { 9 - UInt8(min(rank >> 60, 9)) }

    /// The turn of an item among those that may be shed: the oldest file first.
    static func age(_ item: Item, at place: UInt32) -> Turn {
        Turn(rank: timeRank(item.stamp.modification), name: [], place: place, turn: item.turn)
    }

    /// Ranks have 60 bits: the 4 above them are the priority.
    private static let rankMax: UInt64 = 1 << 60 - 1

    /// Units of 16 ns; times before 1970 or after 2514 are equal to these.
    private static func timeRank(_ time: ModificationTime) -> UInt64 {
        let seconds = UInt64(min(max(time.seconds, 0), 1 << 34 - 1))
        return seconds << 26 | UInt64(min(time.nanoseconds, 999_999_999) >> 4)
    }
}
