#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The result of `stat` for a file.
package struct FileStatus: Hashable, Sendable {
    /// `other`: a symbolic link, pipe, socket or device.
    package enum Kind: Hashable, Sendable { case file, folder, other }

    package var kind: Kind
    /// The permissions of owner, group and other users: nine bits, as for `chmod`.
    package var permissions: UInt32
    package var owner: UInt32
    package var group: UInt32
    /// The number of the file system. Together with `inode` it identifies a file.
    package var device: UInt64
    package var inode: UInt64
    /// The length in bytes.
    package var size: UInt64
    /// The modification time.
    package var modifiedSeconds: Int64
    package var modifiedNanoseconds: Int64
    /// The change time: the last time at which the content, a name or an attribute of the file changed. Programs cannot
    /// set it.
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

    /// Whether both statuses are of the same file, even if it has several names.
    package func isSameFile(as other: FileStatus) -> Bool {
        device == other.device && inode == other.inode
    }
}
