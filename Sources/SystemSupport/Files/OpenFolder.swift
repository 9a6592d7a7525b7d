#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The system call by which a folder is opened from within another folder.
package enum FolderWalk: Sendable {
    /// `openat2`: the kernel itself refuses to follow a symbolic link or to cross a mount point.
    case openat2
    /// `openat` with `O_NOFOLLOW`, and then a check that the opened folder is on the same file system (`st_dev`) as the
    /// folder above it. For kernels before 5.6, and for sandboxes that refuse system calls that they do not know.
    case openat
}

extension FolderWalk {
    /// Tries `openat2` once. If the kernel refuses the call, chooses `openat`. After this test, a failure of `openat2`
    /// counts as an error.
    package init(supportedIn folder: borrowing OpenFile) throws(FileError) {
        do {
            let descriptor = try folder.fileSystem.perform(FileCall(.openBeneath, folder.path)) {
                SystemCalls.openBeneath(folder.descriptor, ".", O_RDONLY | O_DIRECTORY)
            }
            _ = OpenFile(descriptor: descriptor, path: folder.path, fileSystem: folder.fileSystem)
            self = .openat2
        } catch {
            guard [ENOSYS, EPERM, EINVAL].contains(error.code) else { throw error }
            self = .openat
        }
    }
}

/// An open folder, and the calls on its entries.
///
/// Each call names one entry relative to the descriptor. So it acts on the folder that was opened, even if the folder
/// has been renamed or another folder has its path now. A symbolic link that is put into the path between two calls has
/// no effect.
package struct OpenFolder: ~Copyable, Sendable {
    private let file: OpenFile
    private let walk: FolderWalk

    /// - Parameter walk: the system call that opens folders below this folder, at any depth.
    package init(_ file: consuming OpenFile, walk: FolderWalk = .openat) {
        self.file = file
        self.walk = walk
    }

    /// The path at which the folder was opened.
    package var path: String { file.path }

    /// Opens a folder in this folder.
    ///
    /// - Throws: `ENOENT` if the name does not exist, `ENOTDIR` for a file, `ELOOP` or `ENOTDIR` for a symbolic link,
    ///   `EXDEV` for a mount point.
    package func openFolder(_ name: String) throws(FileError) -> OpenFolder {
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW
        switch walk {
        case .openat2:
            return OpenFolder(try open(.openBeneath, name, flags), walk: walk)
        case .openat:
            let opened = try open(.openFolder, name, flags)
            guard try opened.status().device == file.status().device else {
                throw FileError(FileCall(.openFolder, opened.path), errno: EXDEV)
            }
            return OpenFolder(opened, walk: walk)
        }
    }

    /// Opens a file in this folder for reading. Opening a pipe does not wait for a writer.
    package func openFile(_ name: String) throws(FileError) -> OpenFile {
        try open(.openFile, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    }

    private func open(_ operation: FileCall.Operation, _ name: String, _ flags: CInt) throws(FileError) -> OpenFile {
        let call = FileCall(operation, path(of: name))
        let descriptor = try file.fileSystem.perform(call) {
            switch walk {
            case .openat2: SystemCalls.openBeneath(file.descriptor, name, flags)
            case .openat: SystemCalls.open(file.descriptor, name, flags)
            }
        }
        return OpenFile(descriptor: descriptor, path: call.path, fileSystem: file.fileSystem)
    }

    /// The status of the folder itself.
    package func status() throws(FileError) -> FileStatus {
        try file.status()
    }

    /// The status of an entry of this folder; `nil` if there is none with this name. A symbolic link is not followed.
    package func status(of name: String) throws(FileError) -> FileStatus? {
        var status = stat()
        do {
            try file.fileSystem.perform(FileCall(.status, path(of: name))) {
                fstatat(file.descriptor, name, &status, AT_SYMLINK_NOFOLLOW)
            }
        } catch {
            guard error.code == ENOENT else { throw error }
            return nil
        }
        return FileStatus(status)
    }

    /// Makes a folder in this folder.
    ///
    /// - Parameter permissions: the permissions of the folder, from which the process's umask removes some.
    package func makeFolder(_ name: String, permissions: UInt32) throws(FileError) {
        try file.fileSystem.perform(FileCall(.makeFolder, path(of: name))) {
            mkdirat(file.descriptor, name, permissions)
        }
    }

    /// Sets the permissions of the folder itself. The umask does not apply.
    func setPermissions(_ permissions: UInt32) throws(FileError) {
        try file.setPermissions(permissions)
    }

    /// Removes an empty folder from this folder.
    package func removeFolder(_ name: String) throws(FileError) {
        try file.fileSystem.perform(FileCall(.removeFolder, path(of: name))) {
            unlinkat(file.descriptor, name, AT_REMOVEDIR)
        }
    }

    /// Moves the file at a path into this folder, atomically. Replaces an entry with the same name.
    package func take(_ path: String, as name: String) throws(FileError) {
        let call = FileCall(.rename, path, target: self.path(of: name))
        try file.fileSystem.perform(call) { SystemCalls.rename(AT_FDCWD, path, to: file.descriptor, name) }
    }

    /// Moves a file like `take`, but an entry with the same name is an error (`EEXIST`). Throws `EINVAL` or `ENOSYS` if
    /// the file system or the kernel cannot do this atomically.
    package func takeIfAbsent(_ path: String, as name: String) throws(FileError) {
        let call = FileCall(.renameIfAbsent, path, target: self.path(of: name))
        try file.fileSystem.perform(call) { SystemCalls.renameIfAbsent(AT_FDCWD, path, to: file.descriptor, name) }
    }

    /// Links the file at a path into this folder. An entry with the same name is an error (`EEXIST`).
    package func link(_ path: String, as name: String) throws(FileError) {
        let call = FileCall(.link, path, target: self.path(of: name))
        try file.fileSystem.perform(call) { SystemCalls.link(AT_FDCWD, path, as: file.descriptor, name) }
    }

    /// Makes a new file in this folder and opens it for writing and reading. An entry with the same name is an error
    /// (`EEXIST`).
    ///
    /// - Parameter permissions: the permissions of the file, from which the process's umask removes some.
    func createFile(_ name: String, permissions: UInt32) throws(FileError) -> OpenFile {
        let path = path(of: name)
        let descriptor = try file.fileSystem.perform(FileCall(.createFile, path)) {
            SystemCalls.open(file.descriptor, name, O_RDWR | O_CREAT | O_EXCL, permissions)
        }
        return OpenFile(descriptor: descriptor, path: path, fileSystem: file.fileSystem)
    }

    /// Renames a file within this folder, atomically. Replaces an entry that has the new name.
    func rename(_ old: String, to name: String) throws(FileError) {
        let call = FileCall(.rename, path(of: old), target: path(of: name))
        try file.fileSystem.perform(call) { SystemCalls.rename(file.descriptor, old, to: file.descriptor, name) }
    }

    /// Gives a file of this folder a second name. An entry that has this name already is an error (`EEXIST`).
    func addName(_ name: String, toFile old: String) throws(FileError) {
        let call = FileCall(.link, path(of: old), target: path(of: name))
        try file.fileSystem.perform(call) { SystemCalls.link(file.descriptor, old, as: file.descriptor, name) }
    }

    /// Removes a file's name from this folder.
    func removeFile(_ name: String) throws(FileError) {
        try file.fileSystem.perform(FileCall(.removeFile, path(of: name))) { unlinkat(file.descriptor, name, 0) }
    }

    /// Makes the names in this folder durable.
    package func sync() throws(FileError) {
        try file.fileSystem.perform(FileCall(.syncFolder, path)) { fsync(file.descriptor) }
    }

    /// Calls `body` with each name in this folder, in no particular order, until `body` returns `false`. `nil` stands
    /// for a name that is not UTF-8.
    package func list(_ body: (String?) throws -> Bool) throws {
        let call = FileCall(.list, path)
        // Open the folder a second time for the listing: reading moves a position that all copies of a descriptor
        // share.
        let copy = try file.fileSystem.perform(call) { SystemCalls.open(file.descriptor, ".", O_RDONLY | O_DIRECTORY) }
        guard let entries = fdopendir(copy) else {
            let code = errno
            close(copy)
            throw FileError(call, errno: code)
        }
        defer { closedir(entries) }
        while true {
            // `readdir` returns `nil` both at the end and after an error. Only after an error does it set `errno`.
            errno = 0
            guard let entry = readdir(entries) else {
                guard errno == 0 else { throw FileError(call, errno: errno) }
                return
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) { field in
                field.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: field.pointee)) {
                    String(validatingCString: $0)
                }
            }
            if name == "." || name == ".." { continue }
            guard try body(name) else { return }
        }
    }

    /// The identity of this folder. It differs from that of a later folder that gets the same inode number.
    package func identity() throws(FileError) -> FolderIdentity {
        var identity = FolderIdentity(inode: try file.status().inode, generation: file.generation())
        // If the file system keeps no birth time, the call changes nothing and both fields stay 0.
        _ = SystemCalls.birthTime(file.descriptor, &identity.birthSeconds, &identity.birthNanoseconds)
        return identity
    }

    /// Whether the folder treats two names as equal if they differ only in case or in Unicode normalisation.
    ///
    /// On ext4, F2FS and tmpfs this is an attribute of each folder. A file system that treats such names as equal in
    /// every folder does not have the attribute. FileStore recognises such a file system when it opens, by creating two
    /// names.
    package func foldsCase() throws(FileError) -> Bool {
        let flags: UInt32
        do {
            flags = try attributes()
        } catch {
            // The file system has no such attributes, or a sandbox refuses the call.
            guard [ENOTTY, EINVAL, EOPNOTSUPP, ENOSYS, EPERM, EACCES].contains(error.code) else { throw error }
            return false
        }
        return flags & Self.foldsCaseFlag != 0
    }

    private func attributes() throws(FileError) -> UInt32 {
        if let flags = file.fileSystem.answers.folderFlags?(path) { return flags }
        var flags: UInt32 = 0
        try file.fileSystem.perform(FileCall(.inspect, path)) {
            SystemCalls.flags(file.descriptor, &flags)
        }
        return flags
    }

    /// The value of Linux's `FS_CASEFOLD_FL`.
    private static let foldsCaseFlag: UInt32 = 0x4000_0000

    /// The type of the file system that the folder is on: `statfs.f_type`.
    package func fileSystemType() throws(FileError) -> UInt64 {
        if let type = file.fileSystem.answers.type { return type }
        var type: UInt64 = 0
        try file.fileSystem.perform(FileCall(.inspect, path)) {
            SystemCalls.fileSystemType(file.descriptor, &type)
        }
        return type
    }

    func path(of name: String) -> String { "\(path)/\(name)" }
}

/// Identifies a folder among all folders that have ever existed on a file system.
package struct FolderIdentity: Hashable, Sendable {
    package var inode: UInt64
    /// The generation of the folder's inode; 0 if the file system has none (`OpenFile.generation`).
    package var generation: UInt32
    package var birthSeconds: Int64 = 0
    package var birthNanoseconds: UInt32 = 0
}
