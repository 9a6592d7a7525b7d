import TransferCommon

/// What people are shown of a folder.
package struct FolderSummary: Hashable, Sendable {
    /// What the folder is doing.
    package enum Activity: String, Hashable, Sendable {
        /// At least one file is being sent.
        case sending
        /// All files are proven.
        case idle
        /// Files are not proven, and none is being sent. There is a reason.
        case waiting
        /// A person has paused the folder. There is a reason.
        case paused
        /// The last scan was not complete. There is a reason.
        case failed
    }

    package fileprivate(set) var activity = Activity.idle
    /// A sentence for people; `nil` for the activities that need none.
    package fileprivate(set) var reason: String?
    /// Files that are not proven.
    package fileprivate(set) var pendingCount = 0
    /// The total size of the files that are not proven.
    package fileprivate(set) var pendingBytes: UInt64 = 0
    /// For how long a file has not been proven, at the longest; `nil` if all are. It counts from when the file was
    /// found or changed, or from the start of this run.
    package fileprivate(set) var oldestAge: Duration?
    /// The first files in the states `waiting`, `taken`, `unmarked` and `quarantined`. `troubleCount` counts all.
    package fileprivate(set) var troubles: [ItemID] = []
    package fileprivate(set) var troubleCount = 0
    /// Files that are proven and still exist.
    package fileprivate(set) var provenCount = 0
    /// The free space of the folder's file system at the last report; `nil` before the first.
    package fileprivate(set) var freeBytes: UInt64?

    package init() {}
}

extension Folders {
    /// What people are shown of each folder, in the order of the settings. This takes time proportional to the number
    /// of items: some milliseconds for a hundred thousand. It is for a person's question, not for every event.
    ///
    /// - Parameter troublesMax: how many troubles of a folder are listed.
    package func summaries(troublesMax: Int) -> [FolderSummary] {
        var tallies = context.folders.map { _ in FolderTally() }
        context.items.visit { place, item in
            guard item.folder.number < tallies.count else { return }
            tallies[Int(item.folder.number)].count(item, at: place, troublesMax: troublesMax)
        }
        return tallies.indices.map { summary(of: tallies[$0], context.folders[$0]) }
    }

    /// Whether every file that was under way when the flush began has come to an end: it is proven, it is gone, or it
    /// is not sent before a person or another program does something. This does not look at the items, so it may be
    /// asked after every event.
    package func isFlushed(_ mark: FlushMark) -> Bool { context.items.isFlushed(mark) }

    /// The number of files that are not sent before a person or another program does something: those in the states
    /// `unmarked`, `taken` and `quarantined`.
    package var stoppedCount: Int {
        context.folders.indices.reduce(0) { sum, index in
            ItemState.allCases.filter(\.isStopped).reduce(sum) { $0 + count(of: FolderID(UInt32(index)), in: $1) }
        }
    }

    private func summary(of tally: FolderTally, _ folder: FolderState) -> FolderSummary {
        var summary = tally.summary
        summary.freeBytes = folder.space.freeBytes
        if let since = tally.oldestSince {
            let now = context.items.seconds
            summary.oldestAge = .seconds(now > since ? now - since : 0)
        }
        if let failure = folder.scan.failure {
            (summary.activity, summary.reason) = (.failed, "the folder cannot be scanned: \(failure)")
        } else if folder.isPaused {
            (summary.activity, summary.reason) = (.paused, "a person has paused the folder")
        } else if tally.isSending {
            summary.activity = .sending
        } else if summary.pendingCount > 0 {
            let reason = tally.oldest.flatMap(context.items.id(of:)).flatMap(standing(of:))?.reason
            summary.activity = .waiting
            summary.reason = sendingPause ?? reason.map { "the oldest file waits: \($0)" }
        }
        return summary
    }
}

/// The sums over the items of a folder.
private struct FolderTally {
    private(set) var summary = FolderSummary()
    private(set) var isSending = false
    private(set) var oldest: UInt32?
    private(set) var oldestSince: UInt32?

    mutating func count(_ item: Item, at place: UInt32, troublesMax: Int) {
        let state = item.phase.state
        if state == .proven { summary.provenCount += 1 }
        guard state.isPending else { return }
        summary.pendingCount += 1
        let (bytes, overflow) = summary.pendingBytes.addingReportingOverflow(item.stamp.size)
        summary.pendingBytes = overflow ? .max : bytes
        if state == .sending { isSending = true }
        if oldestSince.map({ item.pendingSince < $0 }) ?? true {
            (oldest, oldestSince) = (place, item.pendingSince)
        }
        guard state.isTrouble else { return }
        summary.troubleCount += 1
        if summary.troubles.count < troublesMax {
            summary.troubles.append(ItemID(place: place, generation: item.generation))
        }
    }
}
