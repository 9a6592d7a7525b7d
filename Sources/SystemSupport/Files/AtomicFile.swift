#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

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
        var status = stat()
        return lstat(path, &status) == 0
    }

    /// Takes back what `writeNew` made, after something else failed that the caller will hear of instead.
    package static func remove(_ path: String) {
        _ = unlink(path)
    }

    /// - Parameter temporaryName: in the directory of `path`; a file of this name makes the call fail.
    package static func write(
        _ bytes: [UInt8], to path: String, mode: Mode, temporaryName: String, mayReplace: Bool
    ) throws(FileError) {
        let directory = try OpenFile(directoryOf: path)
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        let name = slash.map { String(decoding: path.utf8[$0...].dropFirst(), as: UTF8.self) } ?? path
        let file = try OpenFile(
            openat(
                directory.descriptor, temporaryName, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                mode_t(Mode.ownerOnly.rawValue)),
            path: path, operation: .createTemporary)
        do throws(FileError) {
            try keepOwner(of: name, in: directory, for: file, path: path)
            guard fchmod(file.descriptor, mode_t(mode.rawValue)) == 0 else {
                throw FileError(path: path, failed: .setMode, errno: errno)
            }
            try file.write(bytes, path: path)
            try file.synchronize(path: path, operation: .synchronize)
            try rename(temporaryName, to: name, in: directory, path: path, mayReplace: mayReplace)
        } catch {
            // What failed first is what the caller must hear of, so this result is of no interest.
            _ = unlinkat(directory.descriptor, temporaryName, 0)
            throw error
        }
        try directory.synchronize(path: path, operation: .synchronizeDirectory)
    }

    private static func rename(
        _ temporaryName: String, to name: String, in directory: borrowing OpenFile, path: String, mayReplace: Bool
    ) throws(FileError) {
        let descriptor = directory.descriptor
        if mayReplace {
            guard renameat(descriptor, temporaryName, descriptor, name) == 0 else {
                throw FileError(path: path, failed: .rename, errno: errno)
            }
        } else {
            // Unlike renaming, linking never replaces, and every file system that knows modes can do it.
            guard linkat(descriptor, temporaryName, descriptor, name, 0) == 0 else {
                throw FileError(path: path, failed: .rename, errno: errno)
            }
            // A second name that stays behind is untidy, but the file is complete: no reason to report failure.
            _ = unlinkat(descriptor, temporaryName, 0)
        }
    }

    private static func keepOwner(
        of name: String, in directory: borrowing OpenFile, for file: borrowing OpenFile, path: String
    ) throws(FileError) {
        var old = stat()
        // Where there is no such file the directory tells whose it is; other trouble with the name shows when renaming.
        guard fstatat(directory.descriptor, name, &old, AT_SYMLINK_NOFOLLOW) == 0 else {
            return try file.giveToOwner(ofDirectory: directory, path: path)
        }
        guard old.st_uid != (try file.status(path: path)).st_uid else { return }
        guard fchown(file.descriptor, old.st_uid, old.st_gid) == 0 else {
            throw FileError(path: path, failed: .setOwner, errno: errno)
        }
    }

    /// Unlike the final name it has a fixed length, so that it fits wherever the final one does.
    private static func makeTemporaryName() -> String {
        ".sluice-\(String(UInt64.random(in: .min ... .max), radix: 16)).tmp"
    }
}
