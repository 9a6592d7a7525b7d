#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// An open file or folder. Closed when it goes out of scope; whoever needs to know that bytes are safe syncs first.
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
        // An error here is of no use: bytes that matter have been synced.
        close(descriptor)
    }

    /// Size, identity and times as they are now.
    func status() throws(FileError) -> FileStatus {
        var status = stat()
        try fileSystem.perform(FileCall(operation: .status, path: path)) { fstat(descriptor, &status) }
        return FileStatus(status)
    }

    /// A number that tells this file from an earlier one of the same inode number. 0 where the file system keeps none.
    func generation() -> UInt32 {
        var generation: UInt64 = 0
        let isKnown = withUnsafeMutablePointer(to: &generation) { ioctl(descriptor, Self.getGeneration, $0) == 0 }
        return isKnown ? UInt32(truncatingIfNeeded: generation) : 0
    }

    /// Linux: `FS_IOC_GETVERSION`, `_IOR('v', 1, long)`.
    private static let getGeneration: UInt = 0x8008_7601

    /// Reads up to the buffer's size.
    ///
    /// - Returns: 0 only at the end of the file.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(FileError) -> Int {
        let call = FileCall(operation: .read, path: path)
        guard let position = off_t(exactly: offset) else { throw FileError(call: call, code: EFBIG) }
        return try fileSystem.perform(call) { pread(descriptor, buffer.baseAddress, buffer.count, position) }
    }

    /// Reads exactly `count` bytes, or to the end of the file where that comes first.
    func read(_ count: Int, at offset: UInt64) throws(FileError) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: min(count, 1 << 16))
        while bytes.count < count {
            let wanted = min(count - bytes.count, buffer.count)
            // The library's function passes on errors only without their type.
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

    /// Writes all the bytes.
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

    /// Lets this file share another's blocks instead of copying them, where the file system can (XFS, Btrfs).
    ///
    /// Offsets and count must be multiples of the file system's block size (`EINVAL`).
    func clone(_ count: UInt64, of source: borrowing OpenFile, at offset: UInt64) throws(FileError) {
        // struct file_clone_range: source descriptor, source offset, length, offset here.
        var range = (Int64(source.descriptor), UInt64(0), count, offset)
        try fileSystem.perform(FileCall(operation: .clone, path: path)) {
            withUnsafeMutablePointer(to: &range) { ioctl(descriptor, Self.cloneRange, $0) }
        }
    }

    /// Linux: `FICLONERANGE`, `_IOW(0x94, 13, struct file_clone_range)`.
    private static let cloneRange: UInt = 0x4020_940D

    /// Makes the file's bytes and size durable. After a failure the bytes are not to be trusted, even if a later call
    /// succeeds: the kernel may have dropped them.
    func sync() throws(FileError) {
        try fileSystem.perform(FileCall(operation: .syncFile, path: path)) { fsync(descriptor) }
    }

    /// Sets the modification time to now, by the clock of whoever keeps the file system.
    func touch() throws(FileError) {
        try fileSystem.perform(FileCall(operation: .touch, path: path)) { futimens(descriptor, nil) }
    }

    /// Takes the lock that goes with this open file and ends with it, however the process ends.
    ///
    /// - Returns: false where somebody else holds it.
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

    /// Gives the lock back ahead of the file's end. Closing the file does not do as much: a program that is just being
    /// started has it open, too, until it runs.
    mutating func unlock() {
        isLocked = false
        _ = flock(descriptor, LOCK_UN)
    }
}

/// What `stat` tells of a file.
struct FileStatus: Hashable, Sendable {
    /// `other`: a symbolic link, pipe, socket or device.
    enum Kind: Hashable, Sendable { case file, folder, other }

    var kind: Kind
    /// The file system. With `inode` it names a file among all.
    var device: UInt64
    var inode: UInt64
    /// Bytes, as far as reading goes.
    var size: UInt64
    /// The modification time.
    var modifiedSeconds: Int64
    var modifiedNanoseconds: Int64
    /// When the file, its names or its attributes last changed; programs cannot set it.
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

    /// Both are the same file, whatever its names.
    func isSameFile(as other: FileStatus) -> Bool {
        device == other.device && inode == other.inode
    }
}
