/// What the file system says of a file, to tell its versions apart.
package struct FileStamp: Hashable, Sendable {
    package var device: UInt64
    package var inode: UInt64
    package var size: UInt64
    package var modification: ModificationTime
    package var change: ModificationTime

    package init(
        device: UInt64, inode: UInt64, size: UInt64, modification: ModificationTime, change: ModificationTime
    ) {
        self.device = device
        self.inode = inode
        self.size = size
        self.modification = modification
        self.change = change
    }

    /// How the file differs at a later look.
    package enum Difference: Hashable, Sendable {
        case none
        /// The size is the same; only digests can show whether the bytes are the same.
        case touched
        case changed
    }

    /// The difference from a stamp that was taken later while the file was read. If only the change time has moved (by
    /// a rename, a new link, another mode), digests decide. Any other difference means another version of the file.
    package func difference(whileReading later: FileStamp) -> Difference {
        guard self != later else { return .none }
        var same = later
        same.change = change
        return same == self ? .touched : .changed
    }

    /// The difference from a stamp that a later run has taken. Between runs the file may have been copied or restored.
    /// So if the size is the same, digests decide, whatever else differs.
    package func difference(betweenRuns later: FileStamp) -> Difference {
        guard self != later else { return .none }
        return size == later.size ? .touched : .changed
    }
}
