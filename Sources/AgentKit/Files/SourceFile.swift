import Cryptography
package import NIOCore
import SecureChannel
package import TransferCommon
package import TransferCore
import WireProtocol

#if canImport(Musl)
    package import Musl
#else
    package import Glibc
#endif

/// One open file that is being uploaded.
///
/// The file stays open from its first examination until its upload ends. The agent therefore keeps reading the same
/// file, even if the file is renamed or removed, or another file takes its place. All methods block and belong on a
/// thread pool.
package final class SourceFile: Sendable {
    package let descriptor: Int32

    /// - Parameter descriptor: a regular file that is open for reading. This object closes it.
    package init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
    }

    /// Opens a regular file for reading.
    ///
    /// - Throws: `missing` if there is no file; `unreadable` if it is not a regular file or cannot be read.
    package static func open(_ path: String) throws(UploadFailure) -> SourceFile {
        try open(FileLocation(root: path))
    }

    /// Opens a regular file for reading, without following links below the named directory.
    ///
    /// - Throws: like `open(_:)`, and also if a symbolic link has replaced a name below the root.
    package static func open(_ location: FileLocation) throws(UploadFailure) -> SourceFile {
        let descriptor = location.openDescriptor()
        guard descriptor >= 0 else {
            let number = errno
            if location.below != nil, number == ELOOP || number == ENOTDIR { throw .replacedByLink }
            throw UploadFailure(lookingAt: location.path, errno: number)
        }
        let file = SourceFile(descriptor: descriptor)
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw .noRegularFile
        }
        return file
    }

    /// The metadata (device, inode, size, times) that distinguishes this version of the file from other versions.
    package func stamp() throws(UploadFailure) -> FileStamp {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw UploadFailure(lookingAt: "", errno: errno)
        }
        return FileStamp(status)
    }

    /// Reads exactly `count` bytes; `nil` if the file ends earlier.
    func read(from start: UInt64, count: Int) throws(UploadFailure) -> ByteBuffer? {
        var buffer = ByteBufferAllocator().buffer(capacity: count)
        return try append(from: start, count: count, to: &buffer) == count ? buffer : nil
    }

    /// Reads up to `count` bytes and appends them to a buffer.
    ///
    /// - Returns: the number of bytes read; less than `count` if the file ends earlier.
    package func append(from start: UInt64, count: Int, to buffer: inout ByteBuffer) throws(UploadFailure) -> Int {
        var done = 0
        while done < count {
            let missing = count - done
            let position = start + UInt64(done)
            var problem: Int32 = 0
            let got = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: missing) { space in
                while true {
                    let got = pread(descriptor, space.baseAddress, missing, off_t(clamping: position))
                    if got >= 0 { return got }
                    if errno == EINTR { continue }
                    problem = errno
                    return 0
                }
            }
            guard problem == 0 else { throw UploadFailure(lookingAt: "", errno: problem) }
            guard got > 0 else { break }
            done += got
        }
        return done
    }

    /// Bytes that `readPieces` reads at a time: small enough for the processor's cache, large enough for the disk.
    package static let pieceBytes = 1 << 20

    /// Reads a range in order, piece by piece.
    ///
    /// - Parameters:
    ///   - keep: whether to keep all pieces in memory. Otherwise each piece overwrites the previous one.
    ///   - body: called with each piece.
    /// - Returns: all bytes if `keep` is set, otherwise the last piece; `nil` if the file ends early.
    func readPieces(
        from start: UInt64, count: UInt64, keep: Bool = false, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws -> ByteBuffer? {
        let piecesBytes = keep ? count : min(count, UInt64(Self.pieceBytes))
        var buffer = ByteBufferAllocator().buffer(capacity: Int(clamping: piecesBytes))
        var done: UInt64 = 0
        while done < count {
            let step = Int(min(count - done, UInt64(Self.pieceBytes)))
            if !keep { buffer.clear() }
            guard try append(from: start + done, count: step, to: &buffer) == step else { return nil }
            // Pass a pointer to the bytes instead of a slice of the buffer: while a slice exists, the next append
            // copies the whole buffer.
            try buffer.withUnsafeReadableBytes { try body(UnsafeRawBufferPointer(rebasing: $0.suffix(step))) }
            done += UInt64(step)
        }
        return buffer
    }
}

extension UploadFailure {
    /// The failure for a path that cannot be opened, examined or listed, with advice for the user.
    ///
    /// - Parameter number: `errno` as the system call set it.
    package init(lookingAt path: String, errno number: Int32) {
        switch number {
        case ENOENT where path.unicodeScalars.contains("\u{FFFD}"), EILSEQ:
            // The argument was not UTF-8, and Swift replaced the invalid bytes.
            self.init(.unreadable, "its name is not UTF-8, as keys have to be; rename it")
        case ENOENT, ENOTDIR:
            self.init(.missing, "there is no such file; check its path")
        case ELOOP:
            self.init(.unreadable, "symbolic links lead in a circle; name the file itself")
        case EAGAIN:
            // Another process holds a write lease on the file. Samba, for example, takes such leases for its clients.
            self.init(.stillWritten)
        case EMFILE:
            self.init(.tooManyOpenFiles)
        case ENFILE:
            self.init(.tooManyOpenFiles, "the processes of this machine have as many files open as the system allows")
        case EACCES, EPERM:
            self.init(
                .unreadable,
                "\(systemMessage(number)): give the user of sluice-agent read access, or run it as another user")
        default:
            self.init(.unreadable, "it cannot be read (\(systemMessage(number))); fix that, then push it again")
        }
    }

    /// The failure for a symbolic link that has replaced a file or directory below a named directory.
    static let replacedByLink = UploadFailure(
        .unreadable,
        "a symbolic link has taken its place, and links below a directory are not followed; name the file "
            + "itself if it is the right one")

    /// The failure for a path that leads to a pipe, a socket, a device or a directory instead of a regular file.
    static let noRegularFile = UploadFailure(.unreadable, "it is not a regular file; only regular files can be sent")

    /// The failure for content that this machine cannot hash, compress or encode. The file itself is not the cause.
    package static func cannotProcess(_ error: any Error) -> UploadFailure {
        let reason = (error as? CryptographyError).map { " (\($0.description.asBeginningOfSentence))" } ?? ""
        return UploadFailure(
            .unreadable, "this machine cannot process its content\(reason); try again, and then report the defect")
    }
}

/// The system's message for an error number.
package func systemMessage(_ number: Int32) -> String { String(cString: strerror(number)) }

extension FileStamp {
    /// - Parameter status: the status of a regular file.
    package init(_ status: stat) {
        self.init(
            device: UInt64(status.st_dev), inode: UInt64(status.st_ino), size: UInt64(clamping: status.st_size),
            modification: ModificationTime(status.st_mtim), change: ModificationTime(status.st_ctim))
    }
}

extension ModificationTime {
    init(_ time: timespec) {
        self.init(seconds: Int64(time.tv_sec), nanoseconds: UInt32(clamping: time.tv_nsec))
    }
}
