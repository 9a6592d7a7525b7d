package import TransferCommon

/// What happens to the service. The shell passes each event to `Folders.handle`.
package enum FolderEvent: Hashable, Sendable {
    // MARK: The start

    /// Records of the journal in the order of their places, before `started`. `isSameBoot` says whether the computer
    /// was not started anew since they were written: device numbers hold only within one boot.
    case restored([ItemRecord], isSameBoot: Bool)
    /// All records were restored: scanning begins.
    case started

    // MARK: Folders

    /// The system has reported a change. It may be late, doubled, or wrong. Like a scan, the shell leaves out the paths
    /// that the folder's `include` and `exclude` do not admit: the machine knows neither, and takes every path.
    case noticed(FolderID, ItemPath, Notice)
    /// Whether the system reports changes of the folder; `false` also if reports were lost.
    case watching(FolderID, Bool)
    /// Files that a scan has found.
    case scanned(RequestID, [ScanEntry])
    /// A scan has ended; `failure` says why it is not complete.
    case scanEnded(RequestID, failure: String?)
    case looked(RequestID, LookResult)
    /// The free space of the folder's file system.
    case space(FolderID, freeBytes: UInt64)

    // MARK: Sending

    case sent(RequestID, SendOutcome)
    /// The store of the gateway that has answered.
    case storeKnown(StoreIdentity)
    /// Whether a network interface is up.
    case link(isUp: Bool)
    /// The schedule's decision for now.
    case rate(RateSchedule.Decision)
    /// The network is metered, so no upload of a lower priority begins; `nil` if it is not metered.
    case metered(minPriority: UInt8?)

    // MARK: Removing

    case stepped(RequestID, RemovalAnswer)
    case proved(RequestID, ProveAnswer)

    // MARK: The journal

    case journalCommitted(TransactionNumber)
    case journalFailed(TransactionNumber, JournalFailure)
    case recalled(RequestID, wasRemoved: Bool)
    /// The size of the state database.
    case stateSize(UInt64)

    // MARK: People

    case paused(FolderID, Bool)
    case rescan(FolderID)
    /// Tries an item again that waits, is taken or quarantined.
    case retry(ItemID)

    /// The moment of `nextDeadline` has come.
    case tick
}

/// What the system has reported of a path.
package enum Notice: UInt8, Hashable, Sendable {
    /// The path was created, changed or removed.
    case changed
    /// A program has closed the file after writing.
    case closedAfterWriting
    /// A file was moved to this path.
    case movedHere
}

/// A regular file that a scan has found.
package struct ScanEntry: Hashable, Sendable {
    package var path: ItemPath
    package var stamp: FileStamp
    /// Whether NAME.done stands beside it; false if the folder needs no markers.
    package var hasMarker: Bool

    package init(_ path: ItemPath, _ stamp: FileStamp, hasMarker: Bool = false) {
        self.path = path
        self.stamp = stamp
        self.hasMarker = hasMarker
    }
}

/// How the upload of an item has ended.
package enum SendOutcome: Hashable, Sendable {
    /// The gateway has reported COMPLETED, or that the object has this content already.
    case stored(StoredReading)
    /// The file was changed while it was read; no object was made.
    case changed
    case missing
    /// The key holds another object than the order allows to replace.
    case keyTaken
    /// The reason for people.
    case unreadable(String)
    /// The gateway refuses this file for good; the reason for people.
    case refused(String)
    /// The fault is not the file's.
    case failed(GateCause)
}

/// What was stored, and what the stamps say of the reading.
package struct StoredReading: Hashable, Sendable {
    package var proof: ItemProof
    /// The stamp after the reading. That before it is in the proof.
    package var after: FileStamp
    package var fileSystem: FileSystemKind
    /// The clock behind change times when the reading began; `nil` if it may have been set.
    package var systemTime: ModificationTime?

    package init(
        _ proof: ItemProof, after: FileStamp, fileSystem: FileSystemKind = .stamping,
        systemTime: ModificationTime? = nil
    ) {
        self.proof = proof
        self.after = after
        self.fileSystem = fileSystem
        self.systemTime = systemTime
    }
}
