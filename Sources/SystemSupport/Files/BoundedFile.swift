#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Reads small files. A limit on their length keeps a large file from using up the memory.
package enum BoundedFile {
    /// The permissions that a file may have.
    package enum Access: Sendable {
        /// For secrets: if the file's group or other users have any permission on the file, reading it throws
        /// `FileError.Cause.openToOthers`.
        case ownerOnly
        /// For files whose content decides what the program does: if the file's group or other users may write the
        /// file, reading it throws `FileError.Cause.writableByOthers`. If the file belongs to a user that is neither
        /// root nor the user of this process, it throws `FileError.Cause.belongsToOther`. A process of root reads the
        /// files of every user, because an administrator also works in the homes of services.
        case ownerWrites
        case anyone
    }

    /// Reads a whole file of at most `bytesMax` bytes. Symbolic links are followed.
    package static func read(_ path: String, bytesMax: Int, access: Access) throws(FileError) -> [UInt8] {
        let file = try FileSystem().open(path, followsLinks: true)
        // Check the open file and not the path, which may lead to another file by now.
        let status = try file.status()
        guard status.kind == .file else { throw FileError(path: path, cause: .notRegularFile) }
        if let refusal = access.refusal(of: status) { throw FileError(path: path, cause: refusal) }
        guard status.size <= UInt64(bytesMax) else {
            throw FileError(path: path, cause: .tooLong(bytesMax: bytesMax))
        }
        // Read one byte more than allowed. If it exists, the file is too long.
        let bytes = try file.read(bytesMax + 1, at: 0)
        guard bytes.count <= bytesMax else { throw FileError(path: path, cause: .tooLong(bytesMax: bytesMax)) }
        return bytes
    }
}

extension BoundedFile.Access {
    fileprivate func refusal(of status: FileStatus) -> FileError.Cause? {
        switch self {
        case .ownerOnly where status.permissions & 0o077 != 0:
            return .openToOthers(mode: status.permissions)
        case .ownerWrites:
            guard status.permissions & 0o022 == 0 else { return .writableByOthers(mode: status.permissions) }
            let user = geteuid()
            return [user, 0].contains(status.owner) || user == 0 ? nil : .belongsToOther(owner: status.owner)
        case .ownerOnly, .anyone:
            return nil
        }
    }
}
