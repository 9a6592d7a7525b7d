#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// An open file or folder. It closes at the end of its scope; a caller that needs durable bytes must call `sync`
/// first.
struct OpenFile: ~Copyable, Sendable {
    let descriptor: CInt
    let path: String
    let fileSystem: FileSystem
    private var isLocked = false

    init(descriptor: CInt, path: String, fileSystem: FileSystem) {
        self.descriptor = descriptor
        self.path = path
        self.fileSystem = fileSystem
    }

    deinit {
        if isLocked { _ = flock(descriptor, LOCK_UN) }
        // An error here has no consequence: the caller has synced all bytes that matter.
        close(descriptor)
    }

    /// The file's current size, identity and times.
    func status() throws(FileError) -> FileStatus {
        var status = stat()
        try fileSystem.perform(FileCall(operation: .status, path: path)) { fstat(descriptor, &status) }
        return FileStatus(status)
    }

    /// A number that distinguishes this file from an earlier one with the same inode number; 0 if the file system has
    /// none.
    func generation() -> UInt32 {
        var generation: UInt64 = 0
        let isKnown = withUnsafeMutablePointer(to: &generation) { ioctl(descriptor, Self.getGeneration, $0) == 0 }
        return isKnown ? UInt32(truncatingIfNeeded: generation) : 0
    }

    /// Linux: `FS_IOC_GETVERSION`, `_IOR('v', 1, long)`.
    private static let getGeneration: UInt = 0x8008_7601

    /// Reads up to the buffer's size at a byte offset.
    ///
    /// - Returns: the number of bytes read; 0 only at the end of the file.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(FileError) -> Int {
        let call = FileCall(operation: .read, path: path)
        guard let position = off_t(exactly: offset) else { throw FileError(call: call, code: EFBIG) }
        return try fileSystem.perform(call) { pread(descriptor, buffer.baseAddress, buffer.count, position) }
    }

    /// Reads exactly `count` bytes at a byte offset, or fewer if the file ends first.
    func read(_ count: Int, at offset: UInt64) throws(FileError) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: min(count, 1 << 16))
        while bytes.count < count {
            let wanted = min(count - bytes.count, buffer.count)
            // The library's rethrowing function loses the error's type, so the closure returns a `Result`.
            let result: Result<Int, FileError> = buffer.withUnsafeMutableBytes { buffer in
                Result { () throws(FileError) in
                    let room = UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted])
                    return try read(into: room, at: offset + UInt64(bytes.count))
                }
            }
            let got = try result.get()
            if got == 0 { break }
            bytes.append(contentsOf: buffer[..<got])
        }
        return bytes
    }

    /// Writes all the bytes at a byte offset.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(FileError) {
        let call = FileCall(operation: .write, path: path)
        var rest = bytes
        var offset = offset
        while !rest.isEmpty {
            guard let position = off_t(exactly: offset) else { throw FileError(call: call, code: EFBIG) }
            let written = try fileSystem.perform(call) { pwrite(descriptor, rest.baseAddress, rest.count, position) }
            rest = UnsafeRawBufferPointer(rebasing: rest[written...])
            offset += UInt64(written)
        }
    }

    /// Shares another file's blocks with this file instead of copying them. Needs support by the file system (XFS,
    /// Btrfs).
    ///
    /// Throws `EINVAL` unless offset and count are multiples of the file system's block size.
    func clone(_ count: UInt64, of source: borrowing OpenFile, at offset: UInt64) throws(FileError) {
        // struct file_clone_range: source descriptor, source offset, length, destination offset.
        var range = (Int64(source.descriptor), UInt64(0), count, offset)
        try fileSystem.perform(FileCall(operation: .clone, path: path)) {
            withUnsafeMutablePointer(to: &range) { ioctl(descriptor, Self.cloneRange, $0) }
        }
    }

    /// Linux: `FICLONERANGE`, `_IOW(0x94, 13, struct file_clone_range)`.
    private static let cloneRange: UInt = 0x4020_940D

    /// Makes the file's bytes and size durable. After a failure the caller must not trust the bytes, even if a later
    /// sync succeeds: the kernel may have dropped them.
    func sync() throws(FileError) {
        try fileSystem.perform(FileCall(operation: .syncFile, path: path)) { fsync(descriptor) }
    }

    /// Sets the modification time to now; on a network file system, by the server's clock.
    func touch() throws(FileError) {
        try fileSystem.perform(FileCall(operation: .touch, path: path)) { futimens(descriptor, nil) }
    }

    /// Takes the `flock` of this open file. The lock ends with the open file, in whatever way the process ends.
    ///
    /// - Returns: false if another open file holds the lock.
    mutating func lock() throws(FileError) -> Bool {
        let descriptor = descriptor
        do {
            try fileSystem.perform(FileCall(operation: .lock, path: path)) { flock(descriptor, LOCK_EX | LOCK_NB) }
            isLocked = true
            return true
        } catch {
            guard error.code == EWOULDBLOCK else { throw error }
            return false
        }
    }

    /// Releases the lock before the file closes. Closing the file alone may keep the lock for a while: a child
    /// process that is being started has the same open file until it executes its program.
    mutating func unlock() {
        isLocked = false
        _ = flock(descriptor, LOCK_UN)
    }
}

/// The result of `stat`.
struct FileStatus: Hashable, Sendable {
    /// `other` is a symbolic link, pipe, socket or device.
    enum Kind: Hashable, Sendable { case file, folder, other }

    var kind: Kind
    /// The device number of the file system. Together with `inode` it identifies the file.
    var device: UInt64
    var inode: UInt64
    /// Bytes of the file's content.
    var size: UInt64
    /// The modification time.
    var modifiedSeconds: Int64
    var modifiedNanoseconds: Int64
    /// Time of the last change of the file's content, names or attributes. Programs cannot set it.
    var changedSeconds: Int64
    var changedNanoseconds: Int64

    init(_ status: stat) {
        self.kind =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .folder
            default: .other
            }
        self.device = UInt64(status.st_dev)
        self.inode = UInt64(status.st_ino)
        self.size = UInt64(clamping: status.st_size)
        self.modifiedSeconds = Int64(status.st_mtim.tv_sec)
        self.modifiedNanoseconds = Int64(status.st_mtim.tv_nsec)
        self.changedSeconds = Int64(status.st_ctim.tv_sec)
        self.changedNanoseconds = Int64(status.st_ctim.tv_nsec)
    }

    /// Whether both are the same file, under any name.
    func isSameFile(as other: FileStatus) -> Bool {
        device == other.device && inode == other.inode
    }
}
