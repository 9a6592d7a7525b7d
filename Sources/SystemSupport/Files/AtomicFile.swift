/// Writes small files so that a reader, or a restart after a power cut, finds the old content or the new, never a part.
///
/// The bytes go to a temporary file in the same directory, are synced, and take the final name in one step; then the
/// directory is synced. A process killed in between leaves `.sluice-….tmp`, as closed to others as the file itself.
package enum AtomicFile {
    /// Who may use the file. The process's umask does not narrow it.
    package enum Mode: UInt32, Sendable {
        case ownerOnly = 0o600
        case ownerWritesGroupReads = 0o640
        case ownerWritesAllRead = 0o644
    }

    /// Creates the file or replaces it; a symbolic link of this name is itself replaced.
    ///
    /// A replaced file keeps its owner, and one that root makes gets its directory's: an administrator's change leaves
    /// it readable to the service.
    /// - Throws: with the old content in place, unless the directory's sync is what failed: then the new content is
    ///   in place, but may not survive a power cut.
    package static func write(_ bytes: [UInt8], to path: String, mode: Mode) throws(FileError) {
        try write(bytes, to: path, mode: mode, temporaryName: makeTemporaryName(), mayReplace: true)
    }

    /// Creates the file; one that is there already is left as it is (`FileError.isExisting`).
    package static func writeNew(_ bytes: [UInt8], to path: String, mode: Mode) throws(FileError) {
        try write(bytes, to: path, mode: mode, temporaryName: makeTemporaryName(), mayReplace: false)
    }

    /// Whether anything of this name is there, a dangling symbolic link included.
    package static func exists(_ path: String) -> Bool {
        do {
            return try FileSystem().status(path) != nil
        } catch {
            // What cannot be looked at shows when it is read or written.
            return false
        }
    }

    /// Takes back what `writeNew` made, after something else failed that the caller will hear of instead.
    package static func remove(_ path: String) {
        do {
            try FileSystem().removeFile(path)
        } catch {
            // The caller reports what failed before.
        }
    }

    /// - Parameter temporaryName: in the directory of `path`; a file of this name makes the call fail.
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
        // Unlike renaming, linking never replaces, and every file system that knows modes can do it.
        try folder.addName(name, toFile: temporaryName)
        // A second name that stays behind is untidy, but the file is complete: no reason to report failure.
        discard(temporaryName, in: folder)
    }

    private static func discard(_ temporaryName: String, in folder: borrowing OpenFolder) {
        do {
            try folder.removeFile(temporaryName)
        } catch {
            // The caller reports what failed before, or nothing where the file is complete.
        }
    }

    private static func keepOwner(
        of name: String, in folder: borrowing OpenFolder, for file: borrowing OpenFile
    ) throws(FileError) {
        let old: FileStatus?
        do {
            old = try folder.status(of: name)
        } catch {
            // Renaming fails for the same reason and reports it.
            old = nil
        }
        guard let old else { return try file.giveToOwner(of: folder.status()) }
        guard old.owner != (try file.status()).owner else { return }
        try file.setOwner(old.owner, group: old.group)
    }

    /// Unlike the final name it has a fixed length, so that it fits wherever the final one does.
    private static func makeTemporaryName() -> String {
        ".sluice-\(String(UInt64.random(in: .min ... .max), radix: 16)).tmp"
    }
}
