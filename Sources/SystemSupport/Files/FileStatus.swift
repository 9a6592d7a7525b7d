#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What `stat` tells of a file.
package struct FileStatus: Hashable, Sendable {
    /// `other`: a symbolic link, pipe, socket or device.
    package enum Kind: Hashable, Sendable { case file, folder, other }

    package var kind: Kind
    /// What owner, group and others may do: nine bits, as `chmod` takes them.
    package var permissions: UInt32
    package var owner: UInt32
    package var group: UInt32
    /// The file system. With `inode` it names a file among all.
    package var device: UInt64
    package var inode: UInt64
    /// Bytes, as far as reading goes.
    package var size: UInt64
    /// The modification time.
    package var modifiedSeconds: Int64
    package var modifiedNanoseconds: Int64
    /// When the file, its names or its attributes last changed; programs cannot set it.
    package var changedSeconds: Int64
    package var changedNanoseconds: Int64

    init(_ status: stat) {
        self.kind =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .folder
            default: .other
            }
        self.permissions = UInt32(status.st_mode & 0o777)
        self.owner = status.st_uid
        self.group = status.st_gid
        self.device = UInt64(status.st_dev)
        self.inode = UInt64(status.st_ino)
        self.size = UInt64(clamping: status.st_size)
        self.modifiedSeconds = Int64(status.st_mtim.tv_sec)
        self.modifiedNanoseconds = Int64(status.st_mtim.tv_nsec)
        self.changedSeconds = Int64(status.st_ctim.tv_sec)
        self.changedNanoseconds = Int64(status.st_ctim.tv_nsec)
    }

    /// Both are the same file, whatever its names.
    package func isSameFile(as other: FileStatus) -> Bool {
        device == other.device && inode == other.inode
    }
}
