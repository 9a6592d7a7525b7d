/// Reads small files. A limit on their length keeps a large file from using up the memory.
package enum BoundedFile {
    /// The permissions that a file may have.
    package enum Access: Sendable {
        /// For secrets: if the file's group or other users have any permission on the file, reading it throws
        /// `FileError.Cause.openToOthers`.
        case ownerOnly
        case anyone
    }

    /// Reads a whole file of at most `bytesMax` bytes. Symbolic links are followed.
    package static func read(_ path: String, bytesMax: Int, access: Access) throws(FileError) -> [UInt8] {
        let file = try FileSystem().open(path, followsLinks: true)
        // Check the open file and not the path, which may lead to another file by now.
        let status = try file.status()
        guard status.kind == .file else { throw FileError(path: path, cause: .notRegularFile) }
        if access == .ownerOnly, status.permissions & 0o077 != 0 {
            throw FileError(path: path, cause: .openToOthers(mode: status.permissions))
        }
        // Read one byte more than allowed. If it exists, the file is too long.
        let bytes = try file.read(bytesMax + 1, at: 0)
        guard bytes.count <= bytesMax else { throw FileError(path: path, cause: .tooLong(bytesMax: bytesMax)) }
        return bytes
    }
}
