#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Replacements for what the kernel reports about a file system. Tests use them for file systems that the test machine
/// does not have. For a value that is `nil`, the kernel is asked.
package struct FileSystemAnswers: Sendable {
    /// The type of the file system: `statfs.f_type`.
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

/// Calls on files and folders by path. Every call blocks, so it must not be made on an event loop.
///
/// This type adds three things to the system calls. It repeats calls that a signal interrupts. Its errors name the
/// call. Tests can use `intercept` to record calls or to make one fail. If an attacker may replace a folder of the path
/// by a symbolic link between two calls, use `OpenFolder` instead.
package struct FileSystem: Sendable {
    /// A function that is called before each system call. If it returns another number than 0, the call is not made
    /// and fails with this number as its `errno`.
    package typealias Intercept = @Sendable (FileCall) -> CInt

    /// Values to use instead of what the kernel reports.
    let answers: FileSystemAnswers
    private let intercept: Intercept?

    package init(answers: FileSystemAnswers = FileSystemAnswers(), intercept: Intercept? = nil) {
        self.answers = answers
        self.intercept = intercept
    }

    /// Opens an existing file for reading. If the path is a pipe, the call does not wait for a writer.
    ///
    /// - Parameter followsLinks: whether to follow a symbolic link at the end of the path. If not, such a link is an
    ///   error (`ELOOP`).
    package func open(_ path: String, followsLinks: Bool = false) throws(FileError) -> OpenFile {
        try openFile(.openFile, path, O_RDONLY | O_NONBLOCK | (followsLinks ? 0 : O_NOFOLLOW))
    }

    /// Opens an existing file for reading and writing. A symbolic link at the path's end is not followed.
    func openForWriting(_ path: String) throws(FileError) -> OpenFile {
        try openFile(.openFile, path, O_RDWR | O_NOFOLLOW)
    }

    /// Opens a folder, in order to sync it, to lock it or to make an `OpenFolder`.
    package func openFolder(_ path: String) throws(FileError) -> OpenFile {
        try openFile(.openFolder, path, O_RDONLY | O_DIRECTORY)
    }

    /// Makes a new file and opens it for writing and reading. An existing file is an error (`EEXIST`).
    ///
    /// - Parameter permissions: the permissions of the file, from which the process's umask removes some.
    package func create(_ path: String, permissions: UInt32) throws(FileError) -> OpenFile {
        try openFile(.createFile, path, O_RDWR | O_CREAT | O_EXCL, permissions)
    }

    /// Opens a file for writing and reading and removes its content. If the file is missing, makes it.
    ///
    /// - Parameter permissions: the permissions of a new file, from which the process's umask removes some.
    package func createOrEmpty(_ path: String, permissions: UInt32) throws(FileError) -> OpenFile {
        try openFile(.createFile, path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, permissions)
    }

    private func openFile(
        _ operation: FileCall.Operation, _ path: String, _ flags: CInt, _ permissions: UInt32 = 0
    ) throws(FileError) -> OpenFile {
        let descriptor = try perform(FileCall(operation, path)) {
            SystemCalls.open(AT_FDCWD, path, flags, permissions)
        }
        return OpenFile(descriptor: descriptor, path: path, fileSystem: self)
    }

    /// The status of the file or folder at a path; `nil` if nothing exists there. A symbolic link at the end of the
    /// path is not followed.
    package func status(_ path: String) throws(FileError) -> FileStatus? {
        var status = stat()
        do {
            try perform(FileCall(.status, path)) { lstat(path, &status) }
        } catch {
            // ENOTDIR means that a file stands where the path needs a folder, so nothing exists at the path.
            guard error.code == ENOENT || error.code == ENOTDIR else { throw error }
            return nil
        }
        return FileStatus(status)
    }

    /// Renames a file or folder atomically. A file at `target` is replaced.
    package func rename(_ path: String, to target: String) throws(FileError) {
        try perform(FileCall(.rename, path, target: target)) {
            SystemCalls.rename(AT_FDCWD, path, to: AT_FDCWD, target)
        }
    }

    /// Removes a file's name.
    package func removeFile(_ path: String) throws(FileError) {
        try perform(FileCall(.removeFile, path)) { unlink(path) }
    }

    /// Makes one folder; its parent must exist.
    ///
    /// - Parameter permissions: the permissions of the folder, from which the process's umask removes some.
    package func makeFolder(_ path: String, permissions: UInt32) throws(FileError) {
        try perform(FileCall(.makeFolder, path)) { mkdir(path, permissions) }
    }

    /// Removes an empty folder. Throws `ENOTEMPTY` if it is not empty.
    package func removeFolder(_ path: String) throws(FileError) {
        try perform(FileCall(.removeFolder, path)) { rmdir(path) }
    }

    /// Makes the names in a folder durable.
    package func syncFolder(_ path: String) throws(FileError) {
        let folder = try openFolder(path)
        try perform(FileCall(.syncFolder, path)) { fsync(folder.descriptor) }
    }

    /// Calls `body` with each name in a folder, in no particular order, until `body` returns `false`. Names that are
    /// not UTF-8 are skipped.
    package func list(_ path: String, _ body: (String) throws -> Bool) throws {
        let folder = OpenFolder(try openFolder(path))
        try folder.list { name in try name.map(body) ?? true }
    }

    /// The text of `/proc/self/mountinfo`, with one line per mount.
    package func mountInfo() throws(FileError) -> String {
        if let text = answers.mountInfo { return text }
        let file = try open("/proc/self/mountinfo")
        return String(decoding: try file.read(Self.mountInfoBytesMax, at: 0), as: UTF8.self)
    }

    /// Maximum length of the text of `mountInfo`. It suffices for thousands of mounts.
    private static let mountInfoBytesMax = 4 << 20

    /// Makes a system call, after asking `intercept`. Repeats the call while a signal interrupts it.
    @discardableResult
    func perform<Count: SignedInteger>(
        _ call: FileCall, _ body: () -> Count
    ) throws(FileError) -> Count {
        try check(call)
        while true {
            let result = body()
            if result >= 0 { return result }
            let code = errno
            guard code == EINTR else { throw FileError(call, errno: code) }
        }
    }

    func check(_ call: FileCall) throws(FileError) {
        guard let code = intercept?(call), code != 0 else { return }
        throw FileError(call, errno: code)
    }
}

extension FileSystem {
    /// The path without its last name: the folder that contains the file.
    static func folder(of path: String) -> String {
        switch lastSlash(in: path) {
        case nil: "."
        case path.startIndex: "/"
        case .some(let slash): String(path[..<slash])
        }
    }

    /// The last name of a path; empty if the path ends with a slash.
    static func name(of path: String) -> String {
        lastSlash(in: path).map { String(decoding: path.utf8[$0...].dropFirst(), as: UTF8.self) } ?? path
    }

    /// The last slash of a path. The search compares bytes, because a slash and a combining mark after it form one
    /// `Character`, which does not equal a slash.
    private static func lastSlash(in path: String) -> String.Index? {
        path.utf8.lastIndex(of: UInt8(ascii: "/"))
    }
}
