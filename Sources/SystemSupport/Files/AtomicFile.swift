/// Writes small files atomically: a reader finds either the complete old content or the complete new content, even
/// after a power cut.
///
/// The bytes are written to a temporary file in the same directory and synced. The temporary file then gets the final
/// name by one system call, and the directory is synced. If the process is killed in between, it leaves a file
/// `.sluice-….tmp`. That file is not readable for more users than the final file.
package enum AtomicFile {
    /// The permissions of the file. The umask does not apply.
    package enum Mode: UInt32, Sendable {
        case ownerOnly = 0o600
        case ownerWritesGroupReads = 0o640
        case ownerWritesAllRead = 0o644
    }

    /// Creates or replaces a file. If the path is a symbolic link, the link is replaced and not its target.
    ///
    /// A replaced file keeps its owner, and a file that root makes gets the owner of its directory. So a service can
    /// still read a file that an administrator has changed. A file of root becomes the file of the directory's owner
    /// when that owner replaces it.
    ///
    /// The new file is made under a new name (`O_EXCL`) and is given away through its descriptor, and a file with the
    /// final name is never opened. So no symbolic or hard link with one of the names in the directory leads root to
    /// another file. Links in the path of the directory are followed: a command of root that works where another user
    /// may put links has to become that user first (`ActingUser`).
    /// - Throws: an error if the file could not be replaced; the old content is then still in place. Exception: if
    ///   syncing the directory fails, the new content is in place but may not survive a power cut.
    package static func write(_ bytes: [UInt8], to path: String, mode: Mode) throws(FileError) {
        try write(bytes, to: path, mode: mode, temporaryName: makeTemporaryName(), mayReplace: true)
    }

    /// Creates a file. If the file exists, throws an error (`FileError.isExisting`) and does not change it.
    package static func writeNew(_ bytes: [UInt8], to path: String, mode: Mode) throws(FileError) {
        try write(bytes, to: path, mode: mode, temporaryName: makeTemporaryName(), mayReplace: false)
    }

    /// Whether anything exists at the path, including a dangling symbolic link.
    package static func exists(_ path: String) -> Bool {
        do {
            return try FileSystem().status(path) != nil
        } catch {
            // A later attempt to read or write the file reports the error.
            return false
        }
    }

    /// Removes a file that `writeNew` has made, after a later step failed.
    package static func remove(_ path: String) {
        do {
            try FileSystem().removeFile(path)
        } catch {
            // A failure is ignored, because the caller reports the error of the step that failed before.
        }
    }

    /// Writes a file atomically, with a temporary name that the caller chooses.
    ///
    /// - Parameters:
    ///   - temporaryName: the name of the temporary file, in the directory of `path`. It is an error if a file with
    ///     this name exists.
    ///   - mayReplace: whether an existing file at `path` is replaced. If not, such a file is an error
    ///     (`FileError.isExisting`).
    package static func write(
        _ bytes: [UInt8], to path: String, mode: Mode, temporaryName: String, mayReplace: Bool
    ) throws(FileError) {
        do throws(FileError) {
            let folder = OpenFolder(try FileSystem().openFolder(FileSystem.folder(of: path)))
            let name = FileSystem.name(of: path)
            let file = try folder.createFile(temporaryName, permissions: Mode.ownerOnly.rawValue)
            do throws(FileError) {
                try keepOwner(of: name, in: folder, for: file)
                try file.setPermissions(mode.rawValue)
                try file.write(bytes, at: 0)
                try file.sync()
                try give(name, to: temporaryName, in: folder, mayReplace: mayReplace)
            } catch {
                discard(temporaryName, in: folder)
                throw error
            }
            try folder.sync()
        } catch {
            throw error.concerning(path)
        }
    }

    private static func give(
        _ name: String, to temporaryName: String, in folder: borrowing OpenFolder, mayReplace: Bool
    ) throws(FileError) {
        guard !mayReplace else { return try folder.rename(temporaryName, to: name) }
        // Link the file to its name instead of renaming it: linking never replaces a file, and every file system with
        // permissions supports it.
        try folder.addName(name, toFile: temporaryName)
        // The file has its final name already, so a failure does no harm.
        discard(temporaryName, in: folder)
    }

    private static func discard(_ temporaryName: String, in folder: borrowing OpenFolder) {
        do {
            try folder.removeFile(temporaryName)
        } catch {
            // A failure is ignored: either the caller reports an earlier error, or the file already has its final name.
        }
    }

    private static func keepOwner(
        of name: String, in folder: borrowing OpenFolder, for file: borrowing OpenFile
    ) throws(FileError) {
        let old: FileStatus?
        do {
            old = try folder.status(of: name)
        } catch {
            // An error here is ignored: the rename or link that follows fails for the same reason and reports it.
            old = nil
        }
        guard let old else { return try file.giveToOwner(of: folder.status()) }
        let user = try file.status().owner
        guard old.owner != user else { return }
        // The owner of the directory cannot give a file back to root, and its programs can read a file of its own.
        if old.owner == 0, user == (try folder.status()).owner { return }
        try file.setOwner(old.owner, group: old.group)
    }

    /// A random name for a temporary file. It does not contain the final name, because the final name may already have
    /// the maximum length of a name.
    private static func makeTemporaryName() -> String {
        ".sluice-\(String(UInt64.random(in: .min ... .max), radix: 16)).tmp"
    }
}
