package import TransferCommon

/// A hash of the first bytes of a file. It shows that an inode still belongs to the same file: file systems give the
/// inode of a deleted file to the next new file.
package struct FileHead: Hashable, Sendable {
    package static let byteCountMax: UInt16 = 4_096

    /// How many bytes are hashed: the size of the file, but at most `byteCountMax`.
    package var byteCount: UInt16
    /// The first 8 bytes of the SHA-256.
    package var hash: UInt64

    package init(byteCount: UInt16, hash: UInt64) {
        self.byteCount = byteCount
        self.hash = hash
    }

    /// No bytes have been read.
    package static let none = FileHead(byteCount: 0, hash: 0)
}

/// What a file system guarantees about stamps and writers.
package enum FileSystemKind: UInt8, Hashable, Sendable {
    /// Every write shows in the stamp, and every writer is a process of this computer.
    case stamping
    /// Every writer is a process of this computer, but a write need not show in the stamp: FAT, exFAT, tmpfs.
    case local
    /// Other computers or programs may write unseen: network file systems, FUSE, and unknown ones.
    case shared
}

/// The answer of the system to the request for a read lease (fcntl F_SETLEASE).
package enum ReadLease: UInt8, Hashable, Sendable {
    /// No process has the file open for writing, or mapped.
    case granted
    /// A process has the file open for writing, or mapped.
    case refused
    /// The system grants no lease: the file is another user's, or the file system has no leases.
    case unavailable
}

/// What the shell has seen of a file: it takes a lease where it may, and otherwise syncs the file before it reads the
/// stamp, so that stores through a mapping show in the stamp.
package struct FileLook: Hashable, Sendable {
    package var stamp: FileStamp
    /// The head of the file as it is now.
    package var head: FileHead
    /// The hash of as many bytes as `LookWants.headBytes`; `nil` if the file is shorter.
    package var headAsRecorded: UInt64?
    package var lease: ReadLease
    package var fileSystem: FileSystemKind
    /// The time of the clock behind change times; `nil` if that clock may have been set to another time.
    package var systemTime: ModificationTime?
    /// The root digest of the whole file with the part size of `LookWants.root`; `nil` if not wanted.
    package var root: SHA256Digest?
    /// The root digest of the first bytes, as `LookWants.prefix` asks for; `nil` if not wanted or the file is shorter.
    package var prefixRoot: SHA256Digest?
    /// Whether a marker stands beside the file; false if not wanted.
    package var hasMarker: Bool
    /// Whether the path in `LookWants.formerPath` still has the same inode.
    package var isStillAtFormerPath: Bool

    package init(
        stamp: FileStamp, head: FileHead = .none, headAsRecorded: UInt64? = nil, lease: ReadLease = .unavailable,
        fileSystem: FileSystemKind = .stamping, systemTime: ModificationTime? = nil, root: SHA256Digest? = nil,
        prefixRoot: SHA256Digest? = nil, hasMarker: Bool = false, isStillAtFormerPath: Bool = false
    ) {
        self.stamp = stamp
        self.head = head
        self.headAsRecorded = headAsRecorded
        self.lease = lease
        self.fileSystem = fileSystem
        self.systemTime = systemTime
        self.root = root
        self.prefixRoot = prefixRoot
        self.hasMarker = hasMarker
        self.isStillAtFormerPath = isStillAtFormerPath
    }
}

/// The answer to the action `look`.
package enum LookResult: Hashable, Sendable {
    case found(FileLook)
    /// The stamp changed while the content was read.
    case changing(FileStamp)
    /// The path has no regular file.
    case missing
    /// The file cannot be opened or read; the reason for people.
    case unreadable(String)
}

/// What a look has to find out besides stamp, head and lease.
package struct LookWants: Hashable, Sendable {
    /// The first bytes of a file and the part size for their root digest.
    package struct Prefix: Hashable, Sendable {
        package var byteCount: UInt64
        package var partBytes: UInt64

        package init(byteCount: UInt64, partBytes: UInt64) {
            self.byteCount = byteCount
            self.partBytes = partBytes
        }
    }

    /// How many bytes of the head are hashed a second time, to be compared with what is recorded; 0 for none.
    package var headBytes: UInt16 = 0
    /// The part size for the root digest of the whole file; `nil` if no digest is wanted.
    package var root: UInt64?
    package var prefix: Prefix?
    package var marker = false
    package var formerPath: ItemPath?

    package init(
        headBytes: UInt16 = 0, root: UInt64? = nil, prefix: Prefix? = nil, marker: Bool = false,
        formerPath: ItemPath? = nil
    ) {
        self.headBytes = headBytes
        self.root = root
        self.prefix = prefix
        self.marker = marker
        self.formerPath = formerPath
    }
}
