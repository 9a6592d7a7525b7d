/// A lock on a file that one process of the machine holds at a time. The system releases it when the process ends, even
/// by a crash.
package enum FileLock {
    /// Waits for the lock, calls `body` while holding it, and releases it.
    ///
    /// - Parameter path: a file that serves only as the lock. A missing file is made and given to its directory's
    ///   owner; it is never removed.
    /// - Throws: `FileError` with this path if locking fails, and the errors of `body`.
    package static func holding<Result>(_ path: String, _ body: () throws -> Result) throws -> Result {
        var file = try open(path)
        try file.waitForLock()
        defer { file.unlock() }
        return try body()
    }

    private static func open(_ path: String) throws(FileError) -> OpenFile {
        let files = FileSystem()
        let file: OpenFile
        do {
            file = try files.create(path, permissions: AtomicFile.Mode.ownerOnly.rawValue)
        } catch {
            return try files.openForWriting(path)
        }
        do throws(FileError) {
            try file.giveToOwner(of: files.openFolder(FileSystem.folder(of: path)).status())
        } catch {
            throw error.concerning(path)
        }
        return file
    }
}
