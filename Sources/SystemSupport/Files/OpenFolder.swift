#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// How one folder is opened from within another.
package enum FolderWalk: Sendable {
    /// By `openat2`: the kernel follows no symbolic link and crosses no mount point.
    case openat2
    /// `openat` with `O_NOFOLLOW`, then a comparison of the device numbers. For kernels before 5.6, and for sandboxes
    /// that refuse unknown system calls.
    case openat
}

extension FolderWalk {
    /// `openat2` where the kernel lets it through. Only here is its failure no error.
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

/// An open folder, and the calls on what is in it.
///
/// Each call names one entry, relative to the descriptor. So it means the folder that was opened, whatever has become
/// of the folder's path meanwhile: nobody can put a symbolic link in the way between a look and the call that relies
/// on it.
package struct OpenFolder: ~Copyable, Sendable {
    private let file: OpenFile
    private let walk: FolderWalk

    /// - Parameter walk: how folders and files in this folder are opened, and in those folders in turn.
    package init(_ file: consuming OpenFile, walk: FolderWalk = .openat) {
        self.file = file
        self.walk = walk
    }

    /// Where the folder was found.
    package var path: String { file.path }

    /// Opens a folder in this folder.
    ///
    /// - Throws: `ENOENT`, `ENOTDIR` for a file, `ELOOP` or `ENOTDIR` for a symbolic link, `EXDEV` for a mount point.
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

    /// Opens a file in this folder for reading. A pipe is not waited for.
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

    /// What the folder itself is.
    package func status() throws(FileError) -> FileStatus {
        try file.status()
    }

    /// What has a name in this folder; a symbolic link is itself. `nil` where nothing has it.
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
    package func makeFolder(_ name: String) throws(FileError) {
        try file.fileSystem.perform(FileCall(.makeFolder, path(of: name))) {
            mkdirat(file.descriptor, name, 0o777)
        }
    }

    /// Removes an empty folder from this folder.
    package func removeFolder(_ name: String) throws(FileError) {
        try file.fileSystem.perform(FileCall(.removeFolder, path(of: name))) {
            unlinkat(file.descriptor, name, AT_REMOVEDIR)
        }
    }

    /// Gives the file at a path its place in this folder instead of what has the name, in one step.
    package func take(_ path: String, as name: String) throws(FileError) {
        let call = FileCall(.rename, path, target: self.path(of: name))
        try file.fileSystem.perform(call) { SystemCalls.rename(AT_FDCWD, path, to: file.descriptor, name) }
    }

    /// The same, where nothing has the name (`EEXIST`). `EINVAL` or `ENOSYS` where the file system cannot.
    package func takeIfAbsent(_ path: String, as name: String) throws(FileError) {
        let call = FileCall(.renameIfAbsent, path, target: self.path(of: name))
        try file.fileSystem.perform(call) { SystemCalls.renameIfAbsent(path, to: file.descriptor, name) }
    }

    /// Gives the file at a path a second name in this folder, which nothing may have (`EEXIST`).
    package func link(_ path: String, as name: String) throws(FileError) {
        let call = FileCall(.link, path, target: self.path(of: name))
        try file.fileSystem.perform(call) { SystemCalls.link(AT_FDCWD, path, as: file.descriptor, name) }
    }

    /// Makes a new file in this folder for writing and reading (`EEXIST`).
    ///
    /// - Parameter permissions: narrowed by the process's umask.
    func createFile(_ name: String, permissions: UInt32) throws(FileError) -> OpenFile {
        let path = path(of: name)
        let descriptor = try file.fileSystem.perform(FileCall(.createFile, path)) {
            SystemCalls.open(file.descriptor, name, O_RDWR | O_CREAT | O_EXCL, permissions)
        }
        return OpenFile(descriptor: descriptor, path: path, fileSystem: file.fileSystem)
    }

    /// Gives a file in this folder another name here, instead of what has the name, in one step.
    func rename(_ old: String, to name: String) throws(FileError) {
        let call = FileCall(.rename, path(of: old), target: path(of: name))
        try file.fileSystem.perform(call) { SystemCalls.rename(file.descriptor, old, to: file.descriptor, name) }
    }

    /// Gives a file in this folder a second name here, which nothing may have (`EEXIST`).
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

    /// Calls `body` with each name in this folder, in no order, until it returns false. `nil` stands for a name that is
    /// not UTF-8.
    package func list(_ body: (String?) throws -> Bool) throws {
        let call = FileCall(.list, path)
        // A descriptor of its own, since reading a folder moves the position that all copies of a descriptor share.
        let copy = try file.fileSystem.perform(call) { SystemCalls.open(file.descriptor, ".", O_RDONLY | O_DIRECTORY) }
        guard let entries = fdopendir(copy) else {
            let code = errno
            close(copy)
            throw FileError(call, errno: code)
        }
        defer { closedir(entries) }
        while true {
            // `readdir` reports the end and an error alike by nil; only errno tells them apart.
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

    /// Whether a folder in this folder holds anything but empty folders. A crash can leave those, and they are no
    /// obstacle. The first object ends the search: there may be a million.
    package func holdsAnything(in name: String) throws -> Bool {
        let folder: OpenFolder
        do {
            folder = try openFolder(name)
        } catch {
            switch error.code {
            case ENOENT: return false
            // The entry is no folder, or a mount point.
            case ENOTDIR, ELOOP, EXDEV: return true
            default: throw error
            }
        }
        return try folder.holdsAnything()
    }

    private func holdsAnything() throws -> Bool {
        var isFound = false
        try list { name in
            // No gateway makes a folder whose name is not UTF-8, so such a name is foreign content.
            if let name { isFound = try holdsAnything(in: name) } else { isFound = true }
            return !isFound
        }
        return isFound
    }

    /// Tells this folder from every other, also from a later one with the same inode number.
    package func identity() throws(FileError) -> FolderIdentity {
        var identity = FolderIdentity(inode: try file.status().inode, generation: file.generation())
        // The call leaves 0 if the file system keeps no birth time.
        _ = SystemCalls.birthTime(file.descriptor, &identity.birthSeconds, &identity.birthNanoseconds)
        return identity
    }

    /// Whether the folder treats names that differ in case or in Unicode normalisation as equal.
    ///
    /// The attribute is the folder's own (ext4, F2FS, tmpfs) and is asked of each folder. File systems that always fold
    /// are found when the store is opened.
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

    /// `statfs.f_type`.
    package func fileSystemType() throws(FileError) -> UInt64 {
        if let type = file.fileSystem.answers.type { return type }
        var type: UInt64 = 0
        try file.fileSystem.perform(FileCall(.inspect, path)) {
            SystemCalls.fileSystemType(file.descriptor, &type)
        }
        return type
    }

    private func path(of name: String) -> String { "\(path)/\(name)" }
}

/// What tells one folder from every other.
package struct FolderIdentity: Hashable, Sendable {
    package var inode: UInt64
    /// See `OpenFile.generation`.
    package var generation: UInt32
    package var birthSeconds: Int64 = 0
    package var birthNanoseconds: UInt32 = 0
}
