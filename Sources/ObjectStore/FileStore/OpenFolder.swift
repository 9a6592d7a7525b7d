#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// How to open a folder inside another folder.
enum FolderWalk: Sendable {
    /// By `openat2`: the kernel follows no symbolic link and crosses no mount point.
    case openat2
    /// `openat` with `O_NOFOLLOW`, then a comparison of the device numbers. For kernels before 5.6, and for sandboxes
    /// that refuse unknown system calls.
    case openat
}

/// An open folder, and calls on its entries.
///
/// Each call names one entry relative to the descriptor. So it acts on the folder that was opened, even if that
/// folder was renamed since, and no program can insert a symbolic link between a check and the call that relies on
/// it.
struct OpenFolder: ~Copyable, Sendable {
    private let file: OpenFile
    private let walk: FolderWalk

    /// - Parameter walk: how this folder opens its folders, and those in turn open theirs.
    init(_ file: consuming OpenFile, walk: FolderWalk) {
        self.file = file
        self.walk = walk
    }

    /// The path at which the folder was opened.
    var path: String { file.path }

    /// Opens a folder in this folder.
    ///
    /// - Throws: `ENOENT`, `ENOTDIR` for a file, `ELOOP` or `ENOTDIR` for a symbolic link, `EXDEV` for a mount point.
    func openFolder(_ name: String) throws(FileError) -> OpenFolder {
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW
        switch walk {
        case .openat2:
            return OpenFolder(try open(.openBeneath, name, flags), walk: walk)
        case .openat:
            let opened = try open(.openFolder, name, flags)
            guard try opened.status().device == file.status().device else {
                throw FileError(call: FileCall(operation: .openFolder, path: opened.path), code: EXDEV)
            }
            return OpenFolder(opened, walk: walk)
        }
    }

    /// Opens a file in this folder for reading. It does not wait for a pipe.
    func openFile(_ name: String) throws(FileError) -> OpenFile {
        try open(.openFile, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    }

    private func open(_ operation: FileCall.Operation, _ name: String, _ flags: CInt) throws(FileError) -> OpenFile {
        let call = FileCall(operation: operation, path: path(of: name))
        let descriptor = try file.fileSystem.perform(call) {
            switch walk {
            case .openat2: SystemCalls.openBeneath(file.descriptor, name, flags)
            case .openat: SystemCalls.open(file.descriptor, name, flags)
            }
        }
        return OpenFile(descriptor: descriptor, path: call.path, fileSystem: file.fileSystem)
    }

    /// The status of the folder itself.
    func status() throws(FileError) -> FileStatus {
        try file.status()
    }

    /// The status of an entry; a symbolic link is not followed. `nil` if the name does not exist.
    func status(of name: String) throws(FileError) -> FileStatus? {
        var status = stat()
        do {
            try file.fileSystem.perform(FileCall(operation: .status, path: path(of: name))) {
                fstatat(file.descriptor, name, &status, AT_SYMLINK_NOFOLLOW)
            }
        } catch {
            guard error.code == ENOENT else { throw error }
            return nil
        }
        return FileStatus(status)
    }

    /// Makes a folder in this folder.
    func makeFolder(_ name: String) throws(FileError) {
        try file.fileSystem.perform(FileCall(operation: .makeFolder, path: path(of: name))) {
            mkdirat(file.descriptor, name, 0o777)
        }
    }

    /// Removes an empty folder from this folder.
    func removeFolder(_ name: String) throws(FileError) {
        try file.fileSystem.perform(FileCall(operation: .removeFolder, path: path(of: name))) {
            unlinkat(file.descriptor, name, AT_REMOVEDIR)
        }
    }

    /// Renames the file at a path to a name in this folder; replaces the name's current file in one step.
    func take(_ path: String, as name: String) throws(FileError) {
        let call = FileCall(operation: .rename, path: path, target: self.path(of: name))
        try file.fileSystem.perform(call) { SystemCalls.rename(path, into: file.descriptor, name) }
    }

    /// Renames like `take`, but throws `EEXIST` if the name is taken. Throws `EINVAL` or `ENOSYS` if the file system
    /// cannot do it.
    func takeIfAbsent(_ path: String, as name: String) throws(FileError) {
        let call = FileCall(operation: .renameIfAbsent, path: path, target: self.path(of: name))
        try file.fileSystem.perform(call) { SystemCalls.renameIfAbsent(path, into: file.descriptor, name) }
    }

    /// Gives the file at a path a second name in this folder. Throws `EEXIST` if the name is taken.
    func link(_ path: String, as name: String) throws(FileError) {
        let call = FileCall(operation: .link, path: path, target: self.path(of: name))
        try file.fileSystem.perform(call) { SystemCalls.link(path, into: file.descriptor, name) }
    }

    /// Makes the names in this folder durable.
    func sync() throws(FileError) {
        try file.fileSystem.perform(FileCall(operation: .syncFolder, path: path)) { fsync(file.descriptor) }
    }

    /// Calls `body` with each name in this folder, in no order, until `body` returns false. `nil` stands for a name
    /// that is not UTF-8.
    func list(_ body: (String?) throws -> Bool) throws {
        let call = FileCall(operation: .list, path: path)
        // Open a second descriptor: reading a folder moves the position that all copies of one descriptor share.
        let copy = try file.fileSystem.perform(call) { SystemCalls.open(file.descriptor, ".", O_RDONLY | O_DIRECTORY) }
        guard let entries = fdopendir(copy) else {
            let code = errno
            close(copy)
            throw FileError(call: call, code: code)
        }
        defer { closedir(entries) }
        while true {
            // `readdir` reports the end and an error alike by nil; only errno tells them apart.
            errno = 0
            guard let entry = readdir(entries) else {
                guard errno == 0 else { throw FileError(call: call, code: errno) }
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

    /// Whether a folder in this folder holds anything but empty folders. Empty folders do not count, because a crash
    /// can leave them. The search ends at the first object: there may be a million.
    func holdsAnything(in name: String) throws -> Bool {
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

    /// Identifies this folder, even against a later folder with the same inode number.
    func identity() throws(FileError) -> FolderIdentity {
        var identity = FolderIdentity(inode: try file.status().inode, generation: file.generation())
        // The call leaves 0 if the file system keeps no birth time.
        _ = SystemCalls.birthTime(file.descriptor, &identity.birthSeconds, &identity.birthNanoseconds)
        return identity
    }

    /// Whether the folder treats names that differ in case or in Unicode normalisation as equal.
    ///
    /// The attribute belongs to single folders (ext4, F2FS, tmpfs), so each folder is asked. File systems that always
    /// fold names are refused when the store opens.
    func foldsCase() throws(FileError) -> Bool {
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
        try file.fileSystem.perform(FileCall(operation: .inspect, path: path)) {
            SystemCalls.flags(file.descriptor, &flags)
        }
        return flags
    }

    /// The value of Linux's `FS_CASEFOLD_FL`.
    private static let foldsCaseFlag: UInt32 = 0x4000_0000

    /// The value of `statfs.f_type`.
    func fileSystemType() throws(FileError) -> UInt64 {
        if let type = file.fileSystem.answers.type { return type }
        var type: UInt64 = 0
        try file.fileSystem.perform(FileCall(operation: .inspect, path: path)) {
            SystemCalls.fileSystemType(file.descriptor, &type)
        }
        return type
    }

    private func path(of name: String) -> String { "\(path)/\(name)" }
}

/// Distinguishes one folder from every other.
struct FolderIdentity: Hashable, Sendable {
    var inode: UInt64
    /// See `OpenFile.generation`.
    var generation: UInt32
    var birthSeconds: Int64 = 0
    var birthNanoseconds: UInt32 = 0
}
