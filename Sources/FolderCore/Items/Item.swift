package import TransferCommon

/// A file that the agent has found: its inode, whatever its name.
///
/// The memory of an item is counted, because a folder may have a hundred thousand: what few items need is boxed.
package struct Item: Hashable, Sendable {
    package let folder: FolderID
    package let generation: UInt32
    package internal(set) var path: ItemPath
    /// Computed once, when the file was first seen; `nil` if the rules for keys do not allow it.
    package internal(set) var key: ObjectKey?
    /// The stamp that was seen last, or that of the proof.
    package internal(set) var stamp: FileStamp
    package internal(set) var head: FileHead
    package internal(set) var phase: ItemPhase
    package internal(set) var stored = StoredState.none
    package internal(set) var keyNumber: UInt32 = 0
    /// How often it has failed in a row for its own reason.
    package internal(set) var failures: UInt8 = 0
    package internal(set) var priority: UInt8 = 0
    /// Whether the file is as it was when this run began.
    var isFromBefore = false
    /// Whether an upload under its key has begun in this run.
    package internal(set) var hasBeenSent = false
    /// Whether the key is this item's: no other item has it.
    package internal(set) var ownsKey = false
    /// Changes with every phase. Entries of queues with an earlier number are void.
    var turn: UInt32 = 0
    /// Since when it has not been proven, in seconds since the computer was started.
    var pendingSince: UInt32 = 0
    /// How many flushes had begun when it was last set under way.
    var flush: UInt32 = 0
    /// The scan that has seen the file last.
    var seenIn: UInt32 = 0
    /// The neighbours in the list of the folder's items, in the order in which scans have seen them.
    var earlier = ItemTable.none
    var later = ItemTable.none
}
