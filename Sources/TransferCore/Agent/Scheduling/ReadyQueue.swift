import TransferCommon

/// Which uploads and proofs have the next turn, and when. The cost of an event therefore depends on how much the event
/// changes, not on the number of uploads. A waiting upload may be in several queues: a turn in which it cannot proceed
/// changes nothing.
struct ReadyQueue: Hashable {
    /// An upload, sorted by the order of submission.
    struct OrderedUpload: Hashable, Comparable {
        var submissionOrder: UInt64
        var upload: UploadID

        static func < (left: OrderedUpload, right: OrderedUpload) -> Bool {
            left.submissionOrder < right.submissionOrder
        }
    }

    private struct Wake: Hashable, Comparable {
        var at: Instant
        var ordered: OrderedUpload

        static func < (left: Wake, right: Wake) -> Bool { (left.at, left.ordered) < (right.at, right.ordered) }
    }

    /// A queue that holds each upload once, in the order of submission.
    struct Queue: Hashable {
        private var heap = Heap<OrderedUpload>()
        private var members: Set<UploadID> = []

        var isEmpty: Bool { members.isEmpty }

        mutating func insert(_ ordered: OrderedUpload) {
            if members.insert(ordered.upload).inserted { heap.push(ordered) }
        }

        mutating func popFirst() -> UploadID? {
            guard let first = heap.popFirst() else { return nil }
            members.remove(first.upload)
            return first.upload
        }
    }

    /// Uploads and proofs that the current event concerns.
    var touched = Queue()
    /// Uploads whose request is due while no slot is free.
    var awaitingSlot = Queue()
    /// Uploads that have a part to take up while the concurrency is used up.
    var awaitingRoom = Queue()
    private var wakes = Heap<Wake>()
    private var nextWakes: [UploadID: Instant] = [:]

    var nextWake: Instant? { wakes.first?.at }

    mutating func wake(_ ordered: OrderedUpload, at moment: Instant) {
        if let planned = nextWakes[ordered.upload], planned <= moment { return }
        nextWakes[ordered.upload] = moment
        wakes.push(Wake(at: moment, ordered: ordered))
    }

    /// Moves to `touched` the uploads whose time has come.
    mutating func wakeDue(_ now: Instant) {
        while let first = wakes.first, first.at <= now {
            _ = wakes.popFirst()
            // The heap keeps an upload's old entry when the upload gets an earlier moment. Only the moment in
            // `nextWakes` is valid, so an old entry must not remove it.
            if nextWakes[first.ordered.upload] == first.at { nextWakes[first.ordered.upload] = nil }
            touched.insert(first.ordered)
        }
    }
}
