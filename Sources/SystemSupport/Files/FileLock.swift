/// A lock that processes of one machine hold on a file, one of them at a time. The system gives it back when its holder
/// ends, however it ends.
package enum FileLock {
    /// Waits for the lock, and does something while it is held.
    ///
    /// - Parameter path: a file that is there for nothing else; it is made if need be, for the owner of its directory,
    ///   and never removed.
    /// - Throws: `FileError` of this path where the lock cannot be had; what `body` throws.
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
