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
    /// If an existing folder is open to others and empty, this method takes their permissions away. If the folder has
    /// content, the method changes nothing and throws, because the owner may have given others access on purpose. It
    /// also throws for a folder in which every user may make files, such as `/tmp`. Root may use the folders of other
    /// users, because an administrator makes the homes of services.
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
                // If the path ends with a slash, its parent is the same folder, which exists by now. So EEXIST is no
                // error.
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
            // If this folder is the root of a file system, `mkfs` has made this entry in it.
            if name == "lost+found" { return true }
            isEmpty = false
            return false
        }
        return isEmpty
    }
}
