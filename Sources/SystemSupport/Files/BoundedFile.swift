#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Reads small files of which a longest length is known, so that no file can take more memory than that.
package enum BoundedFile {
    /// Who may be able to use a file for it to be read at all.
    package enum Access: Sendable {
        /// For secrets: a file whose group or others have any right is refused (`FileError.Cause.openToOthers`).
        case ownerOnly
        case anyone
    }

    /// - Returns: the whole content, at most `bytesMax` bytes; symbolic links are followed.
    package static func read(_ path: String, bytesMax: Int, access: Access) throws(FileError) -> [UInt8] {
        // Opening a pipe without this flag would wait for a writer, perhaps for ever.
        let file = try OpenFile(open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), path: path, operation: .open)
        // The mode is asked of the open file: a name could stand for another one by now.
        let status = try file.status(path: path)
        guard status.st_mode & S_IFMT == S_IFREG else { throw FileError(path: path, cause: .notRegularFile) }
        if access == .ownerOnly, status.st_mode & 0o077 != 0 {
            throw FileError(path: path, cause: .openToOthers(mode: UInt32(status.st_mode & 0o777)))
        }
        return try file.readAll(bytesMax: bytesMax, path: path)
    }
}
