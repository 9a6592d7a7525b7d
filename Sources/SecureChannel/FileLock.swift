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
    /// - Parameter path: a file that is there for nothing else; it is made if need be, and never removed.
    /// - Throws: `FileError` where the lock cannot be had; what `body` throws.
    package static func holding<Result>(_ path: String, _ body: () throws -> Result) throws -> Result {
        let file = try OpenFile(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600), path: path, operation: .open)
        while flock(file.descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else { throw FileError(path: path, failed: .lock, errno: errno) }
        }
        // Closing the file gives the lock back.
        return try withExtendedLifetime(file) { try body() }
    }
}
