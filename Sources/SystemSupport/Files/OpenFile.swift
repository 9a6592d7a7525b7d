#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// An open file or folder. It is closed when this value goes out of scope. Closing reports no error, so a caller that
/// needs the bytes to be durable has to call `sync` first.
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
        // An error is ignored: the caller has already synced all bytes that must be durable.
        close(descriptor)
    }

    /// The present status of the file.
    package func status() throws(FileError) -> FileStatus {
        var status = stat()
        try fileSystem.perform(FileCall(.status, path)) { fstat(descriptor, &status) }
        return FileStatus(status)
    }

    /// The generation of the inode. If another file gets the same inode number later, it has another generation. 0 if
    /// the file system has no generations.
    package func generation() -> UInt32 {
        var generation: UInt64 = 0
        let isKnown = withUnsafeMutablePointer(to: &generation) { ioctl(descriptor, Self.getGeneration, $0) == 0 }
        return isKnown ? UInt32(truncatingIfNeeded: generation) : 0
    }

    /// Linux: `FS_IOC_GETVERSION`, `_IOR('v', 1, long)`.
    private static let getGeneration: UInt = 0x8008_7601

    /// Reads with a single system call, at most as many bytes as fit into the buffer.
    ///
    /// - Returns: the number of bytes read; 0 only at the end of the file.
    package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(FileError) -> Int {
        let call = FileCall(.read, path)
        guard let position = off_t(exactly: offset) else { throw FileError(call, errno: EFBIG) }
        return try fileSystem.perform(call) { pread(descriptor, buffer.baseAddress, buffer.count, position) }
    }

    /// Reads `count` bytes, or fewer if the file ends earlier.
    package func read(_ count: Int, at offset: UInt64) throws(FileError) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: min(count, 1 << 16))
        while bytes.count < count {
            let wanted = min(count - bytes.count, buffer.count)
            // The closure returns a `Result`, because `withUnsafeMutableBytes` would not keep the type of the error.
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

    /// Writes all the bytes, with several system calls if necessary.
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

    /// Writes all the bytes of the array, with several system calls if necessary.
    package func write(_ bytes: [UInt8], at offset: UInt64) throws(FileError) {
        let result: Result<Void, FileError> = bytes.withUnsafeBytes { bytes in
            Result { () throws(FileError) in try write(bytes, at: offset) }
        }
        try result.get()
    }

    /// Puts the first `count` bytes of `source` at `offset` of this file. The two files then share the blocks, and no
    /// bytes are copied. Only some file systems can do this (XFS, Btrfs).
    ///
    /// Throws `EINVAL` if `offset` or `count` is not a multiple of the file system's block size.
    package func clone(_ count: UInt64, of source: borrowing OpenFile, at offset: UInt64) throws(FileError) {
        // The fields of `struct file_clone_range`: source descriptor, source offset, length, offset in this file.
        var range = (Int64(source.descriptor), UInt64(0), count, offset)
        try fileSystem.perform(FileCall(.clone, path)) {
            withUnsafeMutablePointer(to: &range) { ioctl(descriptor, Self.cloneRange, $0) }
        }
    }

    /// Linux: `FICLONERANGE`, `_IOW(0x94, 13, struct file_clone_range)`.
    private static let cloneRange: UInt = 0x4020_940D

    /// Makes the file's bytes and size durable. After a failure the kernel may have dropped the bytes. The caller must
    /// then not rely on them, even if a later `sync` succeeds.
    package func sync() throws(FileError) {
        try fileSystem.perform(FileCall(.syncFile, path)) { fsync(descriptor) }
    }

    /// Sets the modification time to now. On a network file system the time is the server's.
    package func touch() throws(FileError) {
        try fileSystem.perform(FileCall(.touch, path)) { futimens(descriptor, nil) }
    }

    /// Sets the permissions of owner, group and other users: nine bits, as for `chmod`. The umask does not apply.
    func setPermissions(_ permissions: UInt32) throws(FileError) {
        try fileSystem.perform(FileCall(.setPermissions, path)) { fchmod(descriptor, permissions) }
    }

    /// Changes the file's owner and group. Only root may do this.
    func setOwner(_ owner: UInt32, group: UInt32) throws(FileError) {
        try fileSystem.perform(FileCall(.setOwner, path)) { fchown(descriptor, owner, group) }
    }

    /// If root has made the file, gives the file to the owner of its folder, so that the service to which the folder
    /// belongs can use the file.
    func giveToOwner(of folder: FileStatus) throws(FileError) {
        guard geteuid() == 0, folder.owner != (try status()).owner else { return }
        try setOwner(folder.owner, group: folder.group)
    }

    /// Locks the file with `flock`, without waiting. The lock lasts until `unlock` is called, this value goes out of
    /// scope or the process ends.
    ///
    /// - Returns: `false` if the lock is held by another process, or through another `OpenFile` of this process.
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

    /// Locks the file like `lock`, but waits until the lock is free.
    mutating func waitForLock() throws(FileError) {
        let descriptor = descriptor
        try fileSystem.perform(FileCall(.lock, path)) { flock(descriptor, LOCK_EX) }
        isLocked = true
    }

    /// Releases the lock. Closing the descriptor does not always release it: a child process that is being started has
    /// the file open, too, until it executes its program.
    package mutating func unlock() {
        isLocked = false
        _ = flock(descriptor, LOCK_UN)
    }
}
