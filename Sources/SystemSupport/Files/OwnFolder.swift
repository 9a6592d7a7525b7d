#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A folder that only its owner may enter, such as the home of a program.
package enum OwnFolder {
    package static let permissions: UInt32 = 0o700

    /// Makes a folder that only its owner may enter, and the missing folders above it.
    ///
    /// A folder that exists already is closed to others if it is empty. If it is not, its owner may have given others
    /// access on purpose, so the folder is left as it is and refused. A folder in which every user may make files, such
    /// as `/tmp`, is refused, too. Root may use the folders of other users, because an administrator makes the homes of
    /// services.
    package static func makeOrCheck(_ path: String, _ files: FileSystem = FileSystem()) throws {
        try make(path, files)
        let folder = OpenFolder(try files.openFolder(path))
        let status = try folder.status()
        let user = geteuid()
        guard status.owner == user || user == 0 else {
            throw FileError(path: path, cause: .belongsToOther(owner: status.owner))
        }
        guard status.permissions & othersMask != 0 else { return }
        guard status.permissions & everyoneWrites == 0, try isEmpty(folder) else {
            throw FileError(path: path, cause: .folderOpenToOthers(mode: status.permissions))
        }
        try folder.setPermissions(permissions)
    }

    /// Takes all permissions on an existing folder from its group and from other users, if this process owns the
    /// folder.
    package static func closeToOthers(_ path: String, _ files: FileSystem) throws(FileError) {
        let folder = OpenFolder(try files.openFolder(path))
        let status = try folder.status()
        guard status.permissions & othersMask != 0, status.owner == geteuid() else { return }
        try folder.setPermissions(permissions)
    }

    private static let othersMask: UInt32 = 0o077
    private static let everyoneWrites: UInt32 = 0o002

    private static func make(_ path: String, _ files: FileSystem) throws(FileError) {
        do {
            try files.makeFolder(path, permissions: permissions)
        } catch {
            let parent = FileSystem.folder(of: path)
            switch error.code {
            case EEXIST: return
            case ENOENT where parent.utf8.count < path.utf8.count:
                try make(parent, files)
                // A slash at the end of the path makes the path and its parent the same folder, which exists by now.
                do {
                    try files.makeFolder(path, permissions: permissions)
                } catch {
                    guard error.code == EEXIST else { throw error }
                }
            default: throw error
            }
        }
    }

    private static func isEmpty(_ folder: borrowing OpenFolder) throws -> Bool {
        var isEmpty = true
        try folder.list { name in
            // The root of a file system of its own may have this folder, which the tool that made the file system adds.
            if name == "lost+found" { return true }
            isEmpty = false
            return false
        }
        return isEmpty
    }
}
