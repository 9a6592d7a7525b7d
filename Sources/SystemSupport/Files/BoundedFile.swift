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
        let file = try FileSystem().open(path, followsLinks: true)
        // The mode is asked of the open file: a name could stand for another one by now.
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
