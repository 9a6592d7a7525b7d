package import TransferCommon

/// What the shell performs. Actions with a `RequestID` are answered by an event with the same id.
package enum FolderAction: Hashable, Sendable {
    /// Walks the folder: `scanned` for each thousand files or so, then `scanEnded`. Names that `ItemPath.isAside`
    /// accepts and markers are left out.
    case scan(RequestID, FolderID)
    case look(RequestID, FolderID, ItemPath, LookWants)
    case send(RequestID, SendOrder)
    /// Asks the gateway for the object of a proof. The path is that of the file, which the shell may have to read if
    /// the store keeps other evidence than digests.
    case prove(RequestID, FolderID, ItemPath, ItemProof)
    case step(RequestID, FolderID, RemovalStep)
    /// Writes one transaction: all changes, and the service time.
    case journal(TransactionNumber, [JournalChange], ServiceTime)
    /// Asks whether the journal has a `removed` change for the key.
    case recall(RequestID, ObjectKey)
    /// Gives the preallocated reserve of the state database to the file system, because a removal needs space for its
    /// records.
    case freeReserve
    case report(FolderReport)
}

/// What is to be sent, and what may be replaced.
package struct SendOrder: Hashable, Sendable {
    /// What the key may hold. The write is refused if it holds another object.
    package enum Condition: Hashable, Sendable {
        /// The key has no object, or one with the same content.
        case absent
        /// The key has the object that this session wrote, or one with the same content.
        case matches(SessionID)
        /// Any object is replaced.
        case any
    }

    package var item: ItemID
    package var folder: FolderID
    package var path: ItemPath
    /// The inode that the path must have.
    package var inode: UInt64
    package var key: ObjectKey
    package var condition: Condition
}

/// What a person may want to know. Reports decide nothing.
package enum FolderReport: Hashable, Sendable {
    case proven(ItemID, ItemPath)
    case removed(ItemID, FolderID, ItemPath)
    case removalRefused(ItemID, ItemPath, RemovalRefusal)
    /// The file was put back under another name, because a new file has its own.
    case renamedBack(ItemID, from: ItemPath, to: ItemPath)
    case quarantined(ItemID, ItemPath, ItemTrouble)
    case keyTaken(ItemID, ItemPath, KeyConflict)
    case shed(ItemID, ItemPath, size: UInt64)
    case gateClosed(GateCause)
    case spaceLow(FolderID)
    case spaceEnough(FolderID)
}
