import SystemSupport

// Who may use the files of a FileStore. Consumers of objects read them as members of the directory's group. Everything
// below `.sluice` is for the user of the gateways alone. The umask of the process takes some of these permissions away,
// and never adds any.

extension FileStoreLayout {
    /// Permissions of the folders of keys.
    static let keyFolderPermissions: UInt32 = 0o750
    /// Permissions of objects. Other files have them, too, because parts and staged files become objects.
    fileprivate static let filePermissions: UInt32 = 0o640
}

extension FileSystem {
    /// Makes a new file of the store. An existing file is an error (`EEXIST`).
    func createStoreFile(_ path: String) throws(FileError) -> OpenFile {
        try create(path, permissions: FileStoreLayout.filePermissions)
    }

    /// Opens a file of the store and removes its content. If the file is missing, makes it.
    func createOrEmptyStoreFile(_ path: String) throws(FileError) -> OpenFile {
        try createOrEmpty(path, permissions: FileStoreLayout.filePermissions)
    }

    /// Makes `.sluice` or a folder in it. Its parent must exist.
    func makeStoreFolder(_ path: String) throws(FileError) {
        try makeFolder(path, permissions: OwnFolder.permissions)
    }
}
