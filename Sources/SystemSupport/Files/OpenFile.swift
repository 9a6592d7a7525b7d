#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// An open file or folder, which is closed when this value goes out of scope. Closing reports no error: if the bytes
/// have to be durable, call `sync` first.
package struct OpenFile: ~Copyable, Sendable {
    let descriptor: CInt
    package let path: String
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

    /// What `fstat` reports now.
    package func status() throws(FileError) -> FileStatus {
        var status = stat()
        try fileSystem.perform(FileCall(.status, path)) { fstat(descriptor, &status) }
        return FileStatus(status)
    }

    /// The generation of the inode. If another file later gets the same inode number, it has another generation. 0 if
    /// the file system has no generations.
    package func generation() -> UInt32 {
        var generation: UInt64 = 0
        let isKnown = withUnsafeMutablePointer(to: &generation) { ioctl(descriptor, Self.getGeneration, $0) == 0 }
        return isKnown ? UInt32(truncatingIfNeeded: generation) : 0
    }

    /// Linux: `FS_IOC_GETVERSION`, `_IOR('v', 1, long)`.
    private static let getGeneration: UInt = 0x8008_7601

    /// Reads once, at most as many bytes as fit into the buffer.
    ///
    /// - Returns: how many bytes were read; 0 only at the end of the file.
    package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(FileError) -> Int {
        let call = FileCall(.read, path)
        guard let position = off_t(exactly: offset) else { throw FileError(call, errno: EFBIG) }
        return try fileSystem.perform(call) { pread(descriptor, buffer.baseAddress, buffer.count, position) }
    }

    /// Reads `count` bytes, or fewer if the file ends before.
    package func read(_ count: Int, at offset: UInt64) throws(FileError) -> [UInt8] {
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

    /// Writes all the bytes.
    package func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(FileError) {
        let call = FileCall(.write, path)
        var rest = bytes
        var offset = offset
        while !rest.isEmpty {
            guard let position = off_t(exactly: offset) else { throw FileError(call, errno: EFBIG) }
            let written = try fileSystem.perform(call) { pwrite(descriptor, rest.baseAddress, rest.count, position) }
            rest = UnsafeRawBufferPointer(rebasing: rest[written...])
            offset += UInt64(written)
        }
    }

    /// Writes all the bytes.
    package func write(_ bytes: [UInt8], at offset: UInt64) throws(FileError) {
        let result: Result<Void, FileError> = bytes.withUnsafeBytes { bytes in
            Result { () throws(FileError) in try write(bytes, at: offset) }
        }
        try result.get()
    }

    /// Shares blocks of another file instead of copying them, if the file system can do that (XFS, Btrfs).
    ///
    /// Offsets and count must be multiples of the file system's block size (`EINVAL`).
    package func clone(_ count: UInt64, of source: borrowing OpenFile, at offset: UInt64) throws(FileError) {
        // struct file_clone_range: source descriptor, source offset, length, offset here.
        var range = (Int64(source.descriptor), UInt64(0), count, offset)
        try fileSystem.perform(FileCall(.clone, path)) {
            withUnsafeMutablePointer(to: &range) { ioctl(descriptor, Self.cloneRange, $0) }
        }
    }

    /// Linux: `FICLONERANGE`, `_IOW(0x94, 13, struct file_clone_range)`.
    private static let cloneRange: UInt = 0x4020_940D

    /// Makes the file's bytes and size durable. After a failure do not trust the bytes, even if a later call succeeds:
    /// the kernel may have dropped them.
    package func sync() throws(FileError) {
        try fileSystem.perform(FileCall(.syncFile, path)) { fsync(descriptor) }
    }

    /// Sets the modification time to now. On a network file system that is the server's time.
    package func touch() throws(FileError) {
        try fileSystem.perform(FileCall(.touch, path)) { futimens(descriptor, nil) }
    }

    /// Sets the permissions of owner, group and others: nine bits, as for `chmod`. The umask does not apply.
    func setPermissions(_ permissions: UInt32) throws(FileError) {
        try fileSystem.perform(FileCall(.setPermissions, path)) { fchmod(descriptor, permissions) }
    }

    /// Changes the file's owner and group. Only root may do this.
    func setOwner(_ owner: UInt32, group: UInt32) throws(FileError) {
        try fileSystem.perform(FileCall(.setOwner, path)) { fchown(descriptor, owner, group) }
    }

    /// If root has made the file, gives it to the owner of its folder, so that the service that owns the folder can use
    /// it.
    func giveToOwner(of folder: FileStatus) throws(FileError) {
        guard geteuid() == 0, folder.owner != (try status()).owner else { return }
        try setOwner(folder.owner, group: folder.group)
    }

    /// Locks the file with `flock`, without waiting. The lock ends with `unlock`, with this value, or with the process.
    ///
    /// - Returns: `false` if another process, or another open file of this process, holds the lock.
    package mutating func lock() throws(FileError) -> Bool {
        let descriptor = descriptor
        do {
            try fileSystem.perform(FileCall(.lock, path)) { flock(descriptor, LOCK_EX | LOCK_NB) }
            isLocked = true
            return true
        } catch {
            guard error.code == EWOULDBLOCK else { throw error }
            return false
        }
    }

    /// As `lock`, but waits until the lock is free.
    mutating func waitForLock() throws(FileError) {
        let descriptor = descriptor
        try fileSystem.perform(FileCall(.lock, path)) { flock(descriptor, LOCK_EX) }
        isLocked = true
    }

    /// Releases the lock. Closing the descriptor would not be enough: a child process that is being started shares the
    /// open file, and with it the lock, until the child executes its program.
    package mutating func unlock() {
        isLocked = false
        _ = flock(descriptor, LOCK_UN)
    }
}
