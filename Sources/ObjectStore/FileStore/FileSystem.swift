#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// An error of a system call.
package struct FileError: Error, Hashable {
    /// The call and its path.
    package var call: FileCall
    /// The value of `errno`.
    package var code: CInt
}

/// A call to the file system: its operation and its path.
package struct FileCall: Hashable, Sendable {
    /// Kinds of call that tests distinguish: those that change, those that make durable, and those that only read.
    package enum Operation: Hashable, Sendable {
        case openFile, openFolder, createFile
        /// `openat2`: opens a folder below another.
        case openBeneath
        /// Reads properties of a file system or folder.
        case inspect
        case read, write, clone
        /// Makes a file's bytes and size durable.
        case syncFile
        /// Makes the names in a folder durable.
        case syncFolder
        case status, list, lock, touch
        case rename, link, removeFile
        /// Renames only if no file has the new name.
        case renameIfAbsent
        case makeFolder, removeFolder
    }

    package var operation: Operation
    /// Absolute path. For `rename`, `renameIfAbsent` and `link`, the existing path.
    package var path: String
    /// The new path of a `rename`, `renameIfAbsent` or `link`.
    package var target: String?
}

/// The kernel's description of a file system. Tests replace it to simulate file systems that this kernel lacks.
package struct FileSystemAnswers: Sendable {
    /// `statfs.f_type`.
    package var type: UInt64?
    /// The text of `/proc/self/mountinfo`.
    package var mountInfo: String?
    /// The attributes of the folder at a path, as set by `chattr`.
    package var folderFlags: (@Sendable (_ path: String) -> UInt32?)?

    package init(
        type: UInt64? = nil, mountInfo: String? = nil, folderFlags: (@Sendable (_ path: String) -> UInt32?)? = nil
    ) {
        self.type = type
        self.mountInfo = mountInfo
        self.folderFlags = folderFlags
    }
}

/// FileStore's interface to the operating system. Every call blocks, so it belongs on a thread of the pool.
///
/// The type adds three things to the system calls: it repeats interrupted calls, its errors name the call, and
/// `intercept` can watch calls or make one fail. The calls by path are for the store's own folders; files that keys
/// name are reached through `OpenFolder`.
package struct FileSystem: Sendable {
    /// Called before each call. A result other than 0 becomes the call's `errno`, and the call is not made.
    package typealias Intercept = @Sendable (FileCall) -> CInt

    /// Answers that replace the kernel's.
    let answers: FileSystemAnswers
    private let intercept: Intercept?

    package init(answers: FileSystemAnswers = FileSystemAnswers(), intercept: Intercept? = nil) {
        self.answers = answers
        self.intercept = intercept
    }

    /// Opens an existing file for reading. It does not follow a symbolic link at the path's end and does not wait for
    /// a pipe.
    func open(_ path: String) throws(FileError) -> OpenFile {
        try openFile(.openFile, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    }

    /// Opens a folder, for `sync` and `lock`.
    func openFolder(_ path: String) throws(FileError) -> OpenFile {
        try openFile(.openFolder, path, O_RDONLY | O_DIRECTORY)
    }

    /// Creates a new file for writing and reading. Throws `EEXIST` if the name is taken.
    func create(_ path: String) throws(FileError) -> OpenFile {
        try openFile(.createFile, path, O_RDWR | O_CREAT | O_EXCL)
    }

    /// Opens a file for writing and empties it; creates it if it is missing.
    func createOrEmpty(_ path: String) throws(FileError) -> OpenFile {
        try openFile(.createFile, path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW)
    }

    private func openFile(
        _ operation: FileCall.Operation, _ path: String, _ flags: CInt
    ) throws(FileError) -> OpenFile {
        let call = FileCall(operation: operation, path: path)
        let descriptor = try perform(call) { Self.open(path, flags | O_CLOEXEC) }
        return OpenFile(descriptor: descriptor, path: path, fileSystem: self)
    }

    /// The status of the file at a path; a symbolic link is not followed. `nil` if the path does not exist.
    func status(_ path: String) throws(FileError) -> FileStatus? {
        var status = stat()
        do {
            try perform(FileCall(operation: .status, path: path)) { lstat(path, &status) }
        } catch {
            // ENOTDIR: a parent is a file, so the path cannot exist.
            guard error.code == ENOENT || error.code == ENOTDIR else { throw error }
            return nil
        }
        return FileStatus(status)
    }

    /// Renames a file in one step; replaces `target` if it exists.
    func rename(_ path: String, to target: String) throws(FileError) {
        try perform(FileCall(operation: .rename, path: path, target: target)) { Self.rename(path, target) }
    }

    /// Removes a file's name.
    func removeFile(_ path: String) throws(FileError) {
        try perform(FileCall(operation: .removeFile, path: path)) { unlink(path) }
    }

    /// Makes one folder; its parent must exist.
    func makeFolder(_ path: String) throws(FileError) {
        try perform(FileCall(operation: .makeFolder, path: path)) { mkdir(path, 0o777) }
    }

    /// Removes an empty folder; throws `ENOTEMPTY` for any other.
    func removeFolder(_ path: String) throws(FileError) {
        try perform(FileCall(operation: .removeFolder, path: path)) { rmdir(path) }
    }

    /// Makes the names in a folder durable.
    func syncFolder(_ path: String) throws(FileError) {
        let folder = try openFolder(path)
        try perform(FileCall(operation: .syncFolder, path: path)) { fsync(folder.descriptor) }
    }

    /// Calls `body` with each name in a folder, in no order, until `body` returns false. Leaves out names that are
    /// not UTF-8, which the store never uses.
    func list(_ path: String, _ body: (String) throws -> Bool) throws {
        let folder = OpenFolder(try openFolder(path), walk: .openat)
        try folder.list { name in try name.map(body) ?? true }
    }

    /// The text of `/proc/self/mountinfo`: one line for each mount.
    func mountInfo() throws(FileError) -> String {
        if let text = answers.mountInfo { return text }
        let file = try open("/proc/self/mountinfo")
        return String(decoding: try file.read(Self.mountInfoBytesMax, at: 0), as: UTF8.self)
    }

    /// Enough for thousands of mounts.
    private static let mountInfoBytesMax = 4 << 20

    /// Calls the interceptor, then makes the call and repeats it while a signal interrupts it.
    @discardableResult
    func perform<Count: SignedInteger>(
        _ call: FileCall, _ body: () -> Count
    ) throws(FileError) -> Count {
        try check(call)
        while true {
            let result = body()
            if result >= 0 { return result }
            let code = errno
            guard code == EINTR else { throw FileError(call: call, code: code) }
        }
    }

    func check(_ call: FileCall) throws(FileError) {
        guard let code = intercept?(call), code != 0 else { return }
        throw FileError(call: call, code: code)
    }

    // The C library's functions, whose names are hidden here by methods of the same name.
    private static func open(_ path: String, _ flags: CInt) -> CInt {
        systemOpen(path, flags, 0o666)
    }

    private static func rename(_ path: String, _ target: String) -> CInt {
        systemRename(path, target)
    }
}

private func systemOpen(_ path: String, _ flags: CInt, _ mode: mode_t) -> CInt { open(path, flags, mode) }
private func systemRename(_ path: String, _ target: String) -> CInt { rename(path, target) }
