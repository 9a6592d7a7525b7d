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
        case read, write, clone
        /// Makes a file's bytes and size durable.
        case syncFile
        /// Makes the names in a folder durable.
        case syncFolder
        case status, list, lock, touch
        case rename, link, removeFile
        case makeFolder, removeFolder
    }

    package var operation: Operation
    /// Absolute. For `rename` and `link` the path that is given up or already there.
    package var path: String
    /// The new path of a `rename` or `link`.
    package var target: String?
}

/// What FileStore asks of the operating system. Every call blocks, so it belongs on a thread of its own.
///
/// It adds nothing to the system calls but three things: interrupted calls are repeated, a failure names the call, and
/// `intercept` can watch the order of calls or make one fail.
package struct FileSystem: Sendable {
    /// Called before each call. What it returns instead of 0 becomes the call's `errno`, and the call is not made.
    package typealias Intercept = @Sendable (FileCall) -> CInt

    private let intercept: Intercept?

    package init(intercept: Intercept? = nil) {
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

    /// Gives a file a second name, which must not exist (`EEXIST`).
    func link(_ path: String, to target: String) throws(FileError) {
        try perform(FileCall(operation: .link, path: path, target: target)) { Self.link(path, target) }
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

    /// Calls `body` with each name in a folder, in no order, until it returns false.
    func list(_ path: String, _ body: (String) throws -> Bool) throws {
        let call = FileCall(operation: .list, path: path)
        try check(call)
        guard let folder = opendir(path) else { throw FileError(call: call, code: errno) }
        defer { closedir(folder) }
        while true {
            errno = 0
            guard let entry = readdir(folder) else {
                guard errno == 0 else { throw FileError(call: call, code: errno) }
                return
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) { field in
                field.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: field.pointee)) {
                    String(cString: $0)
                }
            }
            if name == "." || name == ".." { continue }
            guard try body(name) else { return }
        }
    }

    /// Gives the interceptor its say, then makes the call, again as long as a signal interrupts it.
    @discardableResult
    fileprivate func perform<Count: SignedInteger>(
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

    private func check(_ call: FileCall) throws(FileError) {
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

    private static func link(_ path: String, _ target: String) -> CInt {
        systemLink(path, target)
    }
}

private func systemOpen(_ path: String, _ flags: CInt, _ mode: mode_t) -> CInt { open(path, flags, mode) }
private func systemRename(_ path: String, _ target: String) -> CInt { rename(path, target) }
private func systemLink(_ path: String, _ target: String) -> CInt { link(path, target) }

/// An open file or folder. Closed when it goes out of scope; whoever needs to know that bytes are safe syncs first.
struct OpenFile: ~Copyable, Sendable {
    fileprivate let descriptor: CInt
    let path: String
    private let fileSystem: FileSystem
    private var isLocked = false

    fileprivate init(descriptor: CInt, path: String, fileSystem: FileSystem) {
        self.descriptor = descriptor
        self.path = path
        self.fileSystem = fileSystem
    }

    deinit {
        if isLocked { _ = flock(descriptor, LOCK_UN) }
        // An error here is of no use: bytes that matter have been synced.
        close(descriptor)
    }

    /// Size, identity and times as they are now.
    func status() throws(FileError) -> FileStatus {
        var status = stat()
        try fileSystem.perform(FileCall(operation: .status, path: path)) { fstat(descriptor, &status) }
        return FileStatus(status)
    }

    /// A number that tells this file from an earlier one of the same inode number. 0 where the file system keeps none.
    func generation() -> UInt32 {
        var generation: UInt64 = 0
        let isKnown = withUnsafeMutablePointer(to: &generation) { ioctl(descriptor, Self.getGeneration, $0) == 0 }
        return isKnown ? UInt32(truncatingIfNeeded: generation) : 0
    }

    /// Linux: `FS_IOC_GETVERSION`, `_IOR('v', 1, long)`.
    private static let getGeneration: UInt = 0x8008_7601

    /// Reads up to the buffer's size.
    ///
    /// - Returns: 0 only at the end of the file.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(FileError) -> Int {
        let call = FileCall(operation: .read, path: path)
        guard let position = off_t(exactly: offset) else { throw FileError(call: call, code: EFBIG) }
        return try fileSystem.perform(call) { pread(descriptor, buffer.baseAddress, buffer.count, position) }
    }

    /// Reads exactly `count` bytes, or to the end of the file where that comes first.
    func read(_ count: Int, at offset: UInt64) throws(FileError) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: min(count, 1 << 16))
        while bytes.count < count {
            let wanted = min(count - bytes.count, buffer.count)
            // The library's function passes on errors only without their type.
            let result: Result<Int, FileError> = buffer.withUnsafeMutableBytes { buffer in
                Result { () throws(FileError) in
                    let room = UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted])
                    return try read(into: room, at: offset + UInt64(bytes.count))
                }
            }
            let got = try result.get()
            if got == 0 { break }
            bytes.append(contentsOf: buffer[..<got])
        }
        return bytes
    }

    /// Writes all the bytes.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(FileError) {
        let call = FileCall(operation: .write, path: path)
        var rest = bytes
        var offset = offset
        while !rest.isEmpty {
            guard let position = off_t(exactly: offset) else { throw FileError(call: call, code: EFBIG) }
            let written = try fileSystem.perform(call) { pwrite(descriptor, rest.baseAddress, rest.count, position) }
            rest = UnsafeRawBufferPointer(rebasing: rest[written...])
            offset += UInt64(written)
        }
    }

    /// Lets this file share another's blocks instead of copying them, where the file system can (XFS, Btrfs).
    ///
    /// Offsets and count must be multiples of the file system's block size (`EINVAL`).
    func clone(_ count: UInt64, of source: borrowing OpenFile, at offset: UInt64) throws(FileError) {
        // struct file_clone_range: source descriptor, source offset, length, offset here.
        var range = (Int64(source.descriptor), UInt64(0), count, offset)
        try fileSystem.perform(FileCall(operation: .clone, path: path)) {
            withUnsafeMutablePointer(to: &range) { ioctl(descriptor, Self.cloneRange, $0) }
        }
    }

    /// Linux: `FICLONERANGE`, `_IOW(0x94, 13, struct file_clone_range)`.
    private static let cloneRange: UInt = 0x4020_940D

    /// Makes the file's bytes and size durable. After a failure the bytes are not to be trusted, even if a later call
    /// succeeds: the kernel may have dropped them.
    func sync() throws(FileError) {
        try fileSystem.perform(FileCall(operation: .syncFile, path: path)) { fsync(descriptor) }
    }

    /// Sets the modification time to now, by the clock of whoever keeps the file system.
    func touch() throws(FileError) {
        try fileSystem.perform(FileCall(operation: .touch, path: path)) { futimens(descriptor, nil) }
    }

    /// Takes the lock that goes with this open file and ends with it, however the process ends.
    ///
    /// - Returns: false where somebody else holds it.
    mutating func lock() throws(FileError) -> Bool {
        let descriptor = descriptor
        do {
            try fileSystem.perform(FileCall(operation: .lock, path: path)) { flock(descriptor, LOCK_EX | LOCK_NB) }
            isLocked = true
            return true
        } catch {
            guard error.code == EWOULDBLOCK else { throw error }
            return false
        }
    }

    /// Gives the lock back ahead of the file's end. Closing the file does not do as much: a program that is just being
    /// started has it open, too, until it runs.
    mutating func unlock() {
        isLocked = false
        _ = flock(descriptor, LOCK_UN)
    }
}

/// What `stat` tells of a file.
struct FileStatus: Hashable, Sendable {
    /// `other`: a symbolic link, pipe, socket or device.
    enum Kind: Hashable, Sendable { case file, folder, other }

    var kind: Kind
    /// The file system. With `inode` it names a file among all.
    var device: UInt64
    var inode: UInt64
    /// Bytes, as far as reading goes.
    var size: UInt64
    /// The modification time.
    var modifiedSeconds: Int64
    var modifiedNanoseconds: Int64

    fileprivate init(_ status: stat) {
        self.kind =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .folder
            default: .other
            }
        self.device = UInt64(status.st_dev)
        self.inode = UInt64(status.st_ino)
        self.size = UInt64(clamping: status.st_size)
        self.modifiedSeconds = Int64(status.st_mtim.tv_sec)
        self.modifiedNanoseconds = Int64(status.st_mtim.tv_nsec)
    }

    /// Both are the same file, whatever its names.
    func isSameFile(as other: FileStatus) -> Bool {
        device == other.device && inode == other.inode
    }
}
