#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A lock that processes of one machine hold on a file, one of them at a time. The system gives it back when its holder
/// ends, however it ends.
package enum FileLock {
    /// Waits for the lock, and does something while it is held.
    ///
    /// - Parameter path: a file that is there for nothing else; it is made if need be, for the owner of its directory,
    ///   and never removed.
    /// - Throws: `FileError` of this path where the lock cannot be had; what `body` throws.
    package static func holding<Result>(_ path: String, _ body: () throws -> Result) throws -> Result {
        let file = try opened(path)
        while flock(file.descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else { throw FileError(path: path, failed: .lock, errno: errno) }
        }
        // A program that is being started has the file open, too, until it runs: closing would leave it the lock.
        defer { _ = flock(file.descriptor, LOCK_UN) }
        return try body()
    }

    private static func opened(_ path: String) throws(FileError) -> OpenFile {
        // A link could lead to a file that is there for something else.
        let flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW
        let made = open(path, flags | O_CREAT | O_EXCL, 0o600)
        guard made >= 0 else { return try OpenFile(open(path, flags), path: path, operation: .open) }
        let file = try OpenFile(made, path: path, operation: .open)
        try file.giveToOwner(ofDirectory: OpenFile(directoryOf: path), path: path)
        return file
    }
}
