import TransferCommon

/// Which uploads to look at next, and when: an event then costs as much as it changes, however many uploads there are.
///
/// A waiting upload is queued under what it waits for. It may be queued more than once: looking at an upload that
/// cannot proceed does no harm.
struct ReadyQueue {
    /// An upload in the order of being handed in.
    struct Ranked: Hashable, Comparable {
        var rank: UInt64
        var upload: UploadID

        static func < (left: Ranked, right: Ranked) -> Bool { left.rank < right.rank }
    }

    private struct Wake: Comparable {
        var at: Instant
        var ranked: Ranked

        static func < (left: Wake, right: Wake) -> Bool { (left.at, left.ranked) < (right.at, right.ranked) }
    }

    /// Each upload once, those handed in first before others.
    struct Queue {
        private var heap = Heap<Ranked>()
        private var members: Set<UploadID> = []

        var isEmpty: Bool { members.isEmpty }

        mutating func insert(_ ranked: Ranked) {
            if members.insert(ranked.upload).inserted { heap.push(ranked) }
        }

        mutating func popFirst() -> UploadID? {
            guard let first = heap.popFirst() else { return nil }
            members.remove(first.upload)
            return first.upload
        }
    }

    /// Changed by the event that is being handled.
    var touched = Queue()
    /// A pending request is due, and no slot is free.
    var awaitingSlot = Queue()
    /// A part is to be taken up, and as many are under way as may be.
    var awaitingRoom = Queue()
    private var wakes = Heap<Wake>()
    private var nextWakes: [UploadID: Instant] = [:]

    var nextWake: Instant? { wakes.first?.at }

    mutating func wake(_ ranked: Ranked, at moment: Instant) {
        if let planned = nextWakes[ranked.upload], planned <= moment { return }
        nextWakes[ranked.upload] = moment
        wakes.push(Wake(at: moment, ranked: ranked))
    }

    /// Moves those whose time has come to `touched`.
    mutating func wakeDue(_ now: Instant) {
        while let first = wakes.first, first.at <= now {
            _ = wakes.popFirst()
            // Times that were overtaken by an earlier one are still in the heap.
            if nextWakes[first.ranked.upload] == first.at { nextWakes[first.ranked.upload] = nil }
            touched.insert(first.ranked)
        }
    }
}
