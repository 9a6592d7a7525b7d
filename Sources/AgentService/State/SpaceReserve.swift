#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A file that only occupies space. On a full disk its removal makes room for the records that the journal needs to
/// delete files safely.
struct SpaceReserve: Sendable {
    let path: String
    let byteCount: Int

    /// Makes the file, unless it has its full size already.
    ///
    /// - Returns: whether the space is reserved now. Without space for it no file is left.
    func renew() -> Bool {
        guard byteCount > 0 else { return false }
        var status = stat()
        if lstat(path, &status) == 0, status.st_size == byteCount, Int(status.st_blocks) >= byteCount / 512 {
            return true
        }
        free()
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return false }
        // Where the file system cannot allocate blocks without content, glibc writes a byte into each.
        let isReserved = posix_fallocate(descriptor, 0, off_t(byteCount)) == 0
        close(descriptor)
        if !isReserved { free() }
        return isReserved
    }

    /// Gives the space to the file system.
    func free() {
        unlink(path)
    }

    /// The size of a file; `nil` if there is none.
    static func size(of path: String) -> UInt64? {
        var status = stat()
        return stat(path, &status) == 0 ? UInt64(clamping: status.st_size) : nil
    }

    /// Whether the disk or the quota of the directory of `path` has no space for another page of a database. SQLite
    /// does not say whether an error of input and output was for want of space.
    static func isDiskFull(beside path: String) -> Bool {
        let trial = path + ".trial"
        unlink(trial)
        let descriptor = open(trial, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return errno == ENOSPC || errno == EDQUOT }
        defer {
            close(descriptor)
            unlink(trial)
        }
        let block = [UInt8](repeating: 1, count: 65_536)
        let count = block.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        guard count == block.count, fsync(descriptor) == 0 else {
            return count >= 0 && count < block.count || errno == ENOSPC || errno == EDQUOT
        }
        return false
    }
}
