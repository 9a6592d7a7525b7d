/// Reads small files with a limit on their length, so that a large file cannot use up memory.
package enum BoundedFile {
    /// Which permissions a file may have.
    package enum Access: Sendable {
        /// For secrets: a file on which group or others have any permission is refused
        /// (`FileError.Cause.openToOthers`).
        case ownerOnly
        case anyone
    }

    /// Reads a whole file of at most `bytesMax` bytes. Symbolic links are followed.
    package static func read(_ path: String, bytesMax: Int, access: Access) throws(FileError) -> [UInt8] {
        let file = try FileSystem().open(path, followsLinks: true)
        // Check the open file and not the path, because the path may name another file by now.
        let status = try file.status()
        guard status.kind == .file else { throw FileError(path: path, cause: .notRegularFile) }
        if access == .ownerOnly, status.permissions & 0o077 != 0 {
            throw FileError(path: path, cause: .openToOthers(mode: status.permissions))
        }
        // One byte more than allowed shows that the file is longer.
        let bytes = try file.read(bytesMax + 1, at: 0)
        guard bytes.count <= bytesMax else { throw FileError(path: path, cause: .tooLong(bytesMax: bytesMax)) }
        return bytes
    }
}
