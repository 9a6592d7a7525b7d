/// A lock on a file. Only one process of the machine can hold it at a time. The system releases the lock when the
/// process ends, even if it crashes.
package enum FileLock {
    /// Waits for the lock, calls `body` while holding it, and releases it.
    ///
    /// - Parameter path: a file that has no other purpose than the lock. If it is missing, it is made, and the owner of
    ///   its directory becomes its owner. It is never removed. A link with this name is not followed, and nothing is
    ///   written into the file. For links in the path of its directory, `AtomicFile.write` says what the caller does.
    /// - Throws: `FileError` with this path if locking fails; and the errors of `body`.
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
