package import TransferCommon

/// An operation of a removal. The shell performs it by descriptors that are opened beneath the folder's root.
package enum RemovalStep: Hashable, Sendable {
    /// Reads the stamp of the file, and its root digest with this part size, if one is given. Answer: `found` or
    /// `missing`.
    case compare(ItemPath, partBytes: UInt64?)
    /// Renames the file to its hidden name without replacing. Answer: `done`, `missing` or `taken`.
    case setAside(ItemPath, ItemPath)
    /// Takes a read lease, as `hashAside` does, and reads the stamp of the file under its hidden name. Answer: `found`
    /// or `missing`.
    case compareAside(ItemPath)
    /// Takes a read lease, then reads stamp and root digest. A lease that is granted is held until the next step of
    /// this removal has ended. Answer: `found` or `missing`.
    case hashAside(ItemPath, partBytes: UInt64)
    /// Deletes the file if its stamp is still this one, and the lease is not broken. Answer: `done`, `changed` or
    /// `missing`.
    case unlink(ItemPath, FileStamp)
    /// Likewise, but renames the file into the directory for moved files without replacing. Answer: also `taken`.
    case moveAway(ItemPath, to: ItemPath, FileStamp)
    /// Makes the removal durable in the file's directory, and in the directory for moved files. Answer: `done`.
    case syncDirectory(ItemPath)
    /// Renames the file from its hidden name without replacing. Answer: `done`, `missing` or `taken`.
    case putBack(ItemPath, to: ItemPath)
    /// Looks at both names for the file with this inode. Answer: `both`.
    case findBoth(ItemPath, ItemPath, inode: UInt64)
}

/// The answer to a `RemovalStep`.
package enum RemovalAnswer: Hashable, Sendable {
    case done
    case found(FileStamp, ReadLease, root: SHA256Digest?)
    case missing
    /// The new name has a file already.
    case taken
    /// The stamp is another one, or the lease is broken.
    case changed
    /// - own: the stamp of the file under its own name; `nil` if that name has no file.
    /// - aside: whether the hidden name has a file.
    case both(own: FileStamp?, aside: Bool)
    /// The system has refused; the reason for people.
    case failed(String)
}

/// The gateway's answer to PROVE.
package enum ProveAnswer: Hashable, Sendable {
    /// The object has the content.
    case proven(store: StoreIdentity)
    case absent
    case different
    /// The store keeps nothing to compare by.
    case unknown
    /// The gateway cannot be reached, or does not answer now.
    case failed(GateCause)
}
