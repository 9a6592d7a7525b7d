#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A system call that failed.
package struct FileError: Error, Hashable {
    /// Which call on which file.
    package var call: FileCall
    /// The `errno` it left.
    package var code: CInt
}

/// A call on the file system: what it does and to which path.
package struct FileCall: Hashable, Sendable {
    /// What tests tell apart: what changes something, what makes it durable, and what only looks.
    package enum Operation: Hashable, Sendable {
        case openFile, openFolder, createFile
        /// Opens a folder below another by `openat2`.
        case openBeneath
        /// Asks what a file system or folder is like.
        case inspect
        case read, write, clone
        /// Makes a file's bytes and size durable.
        case syncFile
        /// Makes the names in a folder durable.
        case syncFolder
        case status, list, lock, touch
        case rename, link, removeFile
        /// Renames only where nothing has the new name.
        case renameIfAbsent
        case makeFolder, removeFolder
    }

    package var operation: Operation
    /// Absolute. For `rename`, `renameIfAbsent` and `link` the path that is given up or already there.
    package var path: String
    /// The new path of a `rename`, `renameIfAbsent` or `link`.
    package var target: String?
}

/// What the kernel says of a file system. Tests give other answers, where this kernel lacks the file system.
package struct FileSystemAnswers: Sendable {
    /// `statfs.f_type`.
    package var type: UInt64?
    /// The text of `/proc/self/mountinfo`.
    package var mountInfo: String?
    /// The attributes of the folder at a path, as `chattr` sets them.
    package var folderFlags: (@Sendable (_ path: String) -> UInt32?)?

    package init(
        type: UInt64? = nil, mountInfo: String? = nil, folderFlags: (@Sendable (_ path: String) -> UInt32?)? = nil
    ) {
        self.type = type
        self.mountInfo = mountInfo
        self.folderFlags = folderFlags
    }
}

/// What FileStore asks of the operating system. Every call blocks, so it belongs on a thread of its own.
///
/// It adds nothing to the system calls but three things: interrupted calls are repeated, a failure names the call, and
/// `intercept` can watch the order of calls or make one fail. The calls by path here are for the store's own folders;
/// what a key names is reached through `OpenFolder`.
package struct FileSystem: Sendable {
    /// Called before each call. What it returns instead of 0 becomes the call's `errno`, and the call is not made.
    package typealias Intercept = @Sendable (FileCall) -> CInt

    /// Instead of the kernel's own.
    let answers: FileSystemAnswers
    private let intercept: Intercept?

    package init(answers: FileSystemAnswers = FileSystemAnswers(), intercept: Intercept? = nil) {
        self.answers = answers
        self.intercept = intercept
    }

    /// Opens an existing file for reading. A symbolic link at the path's end is not followed, and a pipe not waited
    /// for.
    func open(_ path: String) throws(FileError) -> OpenFile {
        try openFile(.openFile, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    }

    /// Opens a folder, for `sync` and `lock`.
    func openFolder(_ path: String) throws(FileError) -> OpenFile {
        try openFile(.openFolder, path, O_RDONLY | O_DIRECTORY)
    }

    /// Makes a new file for writing and reading. One that exists is an error (`EEXIST`).
    func create(_ path: String) throws(FileError) -> OpenFile {
        try openFile(.createFile, path, O_RDWR | O_CREAT | O_EXCL)
    }

    /// Opens a file for writing, empties it, and makes it where it is missing.
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

    /// What the path names; a symbolic link is itself, not its target. `nil` where there is nothing.
    func status(_ path: String) throws(FileError) -> FileStatus? {
        var status = stat()
        do {
            try perform(FileCall(operation: .status, path: path)) { lstat(path, &status) }
        } catch {
            // ENOTDIR: a parent is a file, so there can be nothing below it.
            guard error.code == ENOENT || error.code == ENOTDIR else { throw error }
            return nil
        }
        return FileStatus(status)
    }

    /// Replaces `target` or makes it, in one step.
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

    /// Removes a folder that is empty (`ENOTEMPTY`).
    func removeFolder(_ path: String) throws(FileError) {
        try perform(FileCall(operation: .removeFolder, path: path)) { rmdir(path) }
    }

    /// Makes the names in a folder durable.
    func syncFolder(_ path: String) throws(FileError) {
        let folder = try openFolder(path)
        try perform(FileCall(operation: .syncFolder, path: path)) { fsync(folder.descriptor) }
    }

    /// Calls `body` with each name in a folder, in no order, until it returns false. Names that are not UTF-8 are left
    /// out: the store gives none.
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

    /// Thousands of mounts.
    private static let mountInfoBytesMax = 4 << 20

    /// Gives the interceptor its say, then makes the call, again as long as a signal interrupts it.
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

    // The system's own functions, where a method here bears the same name.
    private static func open(_ path: String, _ flags: CInt) -> CInt {
        systemOpen(path, flags, 0o666)
    }

    private static func rename(_ path: String, _ target: String) -> CInt {
        systemRename(path, target)
    }
}

private func systemOpen(_ path: String, _ flags: CInt, _ mode: mode_t) -> CInt { open(path, flags, mode) }
private func systemRename(_ path: String, _ target: String) -> CInt { rename(path, target) }
