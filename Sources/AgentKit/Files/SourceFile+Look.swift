import Cryptography
import NIOCore
import Synchronization
import SystemSupport
package import TransferCommon
package import TransferCore
import WireProtocol

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

// Examines an open file: whether a process is writing it (`FileSettling`), and whether its content is as long as the
// file system says.

extension SourceFile {
    /// Examines the file without reading its content.
    ///
    /// - Throws: `unreadable`, for example if the content is shorter or longer than the file's size.
    package func look(clock: FileClock) throws(UploadFailure) -> FileSettling.Look {
        var fileSystem = fileSystem()
        let lease = takeReadLease()
        // A process that writes through a memory mapping changes the file's change time only when the system writes the
        // pages back. `fsync` forces that, so that the stamp shows such writes.
        if lease == .unavailable, fsync(descriptor) != 0, fileSystem == .stamping { fileSystem = .local }
        let result = Result { () throws(UploadFailure) in try self.stamp() }
        // Release the lease at once: until then, a process that opens the file for writing has to wait.
        if lease == .granted { releaseReadLease() }
        let stamp = try result.get()
        if lease != .refused, try !endsWhere(stamp) {
            let later = try self.stamp()
            guard later != stamp else { throw .sizeUntrusted(of: stamp) }
            return FileSettling.Look(stamp: later, lease: .refused, fileSystem: fileSystem)
        }
        return FileSettling.Look(stamp: stamp, lease: lease, fileSystem: fileSystem, systemTime: clock.now())
    }

    /// The size that the file system reports, after checking that the content ends there.
    ///
    /// - Throws: `unreadable` if the content ends earlier or later.
    package func trueSize() throws(UploadFailure) -> UInt64 {
        let stamp = try self.stamp()
        if try endsWhere(stamp) { return stamp.size }
        let later = try self.stamp()
        guard later != stamp else { throw .sizeUntrusted(of: stamp) }
        return later.size
    }

    /// Whether the content ends at the reported size. In procfs and sysfs it often does not.
    package func endsWhere(_ stamp: FileStamp) throws(UploadFailure) -> Bool {
        let last = stamp.size > 0 ? stamp.size - 1 : 0
        var buffer = ByteBufferAllocator().buffer(capacity: 2)
        return try append(from: last, count: 2, to: &buffer) == (stamp.size > 0 ? 1 : 0)
    }

    /// What the file system guarantees about the stamps of the file.
    package func fileSystem() -> FileSettling.FileSystem { Self.fileSystem(of: descriptor) }

    /// What the file system of an open file or directory guarantees about the stamps of its files.
    package static func fileSystem(of descriptor: Int32) -> FileSettling.FileSystem {
        var type: UInt64 = 0
        // If the type of the file system is unknown, treat it like a network file system, whose change times are not
        // trusted.
        guard SystemCalls.fileSystemType(descriptor, &type) == 0 else { return .shared }
        if stampingFileSystems.contains(type) { return .stamping }
        return localFileSystems.contains(type) ? .local : .shared
    }

    /// Local file systems that record a change time for every write. The numbers are in linux/magic.h, or in the header
    /// of the file system.
    private static let stampingFileSystems: Set<UInt64> = [
        0xEF53,  // ext2, ext3, ext4
        0x5846_5342,  // XFS
        0x9123_683E,  // Btrfs
        0xF2F5_2010,  // F2FS
        0xCA45_1A4E,  // bcachefs
        0x2FC1_2FC1,  // ZFS
        0x794C_7630,  // overlayfs
        0x3153_464A,  // JFS
        0x5265_4973,  // ReiserFS
        0x3434,  // NILFS
        0x2405_1905,  // UBIFS
        0x72B6,  // JFFS2
        0x7371_7368,  // squashfs
        0xE0F5_E1E2,  // EROFS
        0x9660,  // ISO 9660
    ]

    /// Local file systems whose change times are coarse, or do not change when a process writes through a memory
    /// mapping.
    private static let localFileSystems: Set<UInt64> = [
        0x4D44,  // FAT
        0x2011_BAB0,  // exFAT
        0x0102_1994,  // tmpfs
        0x8584_58F6,  // ramfs
        0x9584_58F6,  // hugetlbfs
        0x7366_746E,  // NTFS (ntfs3)
        0x482B,  // HFS+
        0x1501_3346,  // UDF
    ]
}

extension UploadFailure {
    /// The failure for a file whose content does not end at its reported size. Its stamp did not change meanwhile, so
    /// the cause is not a process that writes the file.
    package static func sizeUntrusted(of stamp: FileStamp) -> UploadFailure {
        UploadFailure(
            .unreadable,
            "its size cannot be trusted (the system reports \(stamp.size) bytes, and the content has another length); "
                + "pipe it in with push - --key KEY")
    }
}

// Read leases (fcntl F_SETLEASE). The kernel grants one only if no process has the file open for writing. While this
// process holds the lease, a process that opens the file for writing has to wait, and the kernel sends this process a
// signal. Here the signal is SIGURG, which is ignored by default. The kernel's usual signal, SIGIO, would terminate
// this process.
extension SourceFile {
    // From <fcntl.h> of Linux; the numbers are the same on every architecture.
    private static let setSignal: Int32 = 10
    private static let setLease: Int32 = 1_024
    private static let getLease: Int32 = 1_025

    /// Requests a read lease. This process holds the lease until it releases the lease or closes the file.
    package func takeReadLease() -> FileSettling.Lease {
        guard fcntl(descriptor, Self.setSignal, SIGURG) == 0 else { return .unavailable }
        guard fcntl(descriptor, Self.setLease, Int32(F_RDLCK)) == 0 else {
            return errno == EAGAIN ? .refused : .unavailable
        }
        return .granted
    }

    /// Whether this process holds a read lease that no process has broken: since the lease was granted, no process has
    /// opened the file for writing or changed its size.
    package var holdsReadLease: Bool { fcntl(descriptor, Self.getLease) == Int32(F_RDLCK) }

    /// Releases the read lease, so that waiting writers can open the file. Safe to repeat.
    package func releaseReadLease() {
        _ = fcntl(descriptor, Self.setLease, Int32(F_UNLCK))
    }
}

/// Hashes the content of a file in steps. A run that is stopped then waits for one step only and not for the rest of a
/// large file.
final class ContentHash: Sendable {
    private struct State: ~Copyable {
        var hasher: SHA256Hasher?
        var position: UInt64 = 0
    }

    private static let stepBytes: UInt64 = 64 << 20

    private let file: SourceFile
    private let state: Mutex<State>

    init(of file: SourceFile) throws {
        self.file = file
        state = Mutex(State(hasher: try SHA256Hasher()))
    }

    /// Hashes the next step.
    ///
    /// - Returns: `nil` until the end of the file; then the digest of the whole content.
    func step() throws -> SHA256Digest? {
        try state.withLock { state in
            var buffer = ByteBufferAllocator().buffer(capacity: SourceFile.pieceBytes)
            let end = state.position + Self.stepBytes
            while state.position < end {
                buffer.clear()
                let got = try file.append(from: state.position, count: SourceFile.pieceBytes, to: &buffer)
                state.hasher?.update(buffer)
                state.position += UInt64(got)
                if got < SourceFile.pieceBytes { return try state.hasher.take()?.finalize() }
            }
            return nil
        }
    }
}
