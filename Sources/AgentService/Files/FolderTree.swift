import AgentKit
import FolderCore
import SystemSupport
import TransferCommon
import TransferCore

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Which system calls a folder is used with. Tests choose the ones that an older kernel offers.
package struct FolderCalls: Sendable {
    /// Whether `openat2` opens what lies beneath a directory. Otherwise `openat` opens name after name.
    package var opensBeneath: Bool
    /// Whether `renameat2` is asked to rename without replacing, before other calls are tried.
    package var renamesIfAbsent = true

    /// The calls that the kernel offers. A sandbox that does not know `openat2` refuses it with `EPERM`.
    package init() {
        let root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        let probe = SystemCalls.openBeneath(root, ".", O_RDONLY | O_DIRECTORY)
        opensBeneath = probe >= 0
        for descriptor in [probe, root] where descriptor >= 0 { close(descriptor) }
    }
}

/// Why a call on a folder, or on a file beneath it, has failed.
struct FolderError: Error, Equatable {
    /// The error number of the system call.
    let number: Int32
    /// Whether the folder itself could not be opened. Then nothing is known about the files beneath it.
    var isOfRoot = false

    /// The path leads to no regular file or directory of the folder. What lies behind a symbolic link or on another
    /// file system does not belong to the folder.
    var isMissing: Bool { !isOfRoot && [ENOENT, ENOTDIR, ELOOP, EXDEV].contains(number) }

    /// Another process holds a lease on the file, as Samba does for its clients, and may be writing the file.
    var isLeased: Bool { !isOfRoot && number == EAGAIN }

    /// Too many files are open at this moment.
    var lacksDescriptor: Bool { number == EMFILE || number == ENFILE }

    /// The reason for people: the cause, then what to do.
    var reason: String {
        let cause = systemMessage(number)
        if isOfRoot {
            return "the folder cannot be opened (\(cause)); check its path in the settings, and mount its disk"
        }
        switch number {
        case EACCES, EPERM: return "\(cause): give the user of sluice-agent access, or run it as another user"
        case EROFS: return "\(cause): mount it so that it can be written"
        case EMFILE, ENFILE: return "too many files are open; \(DescriptorLimit.advice)"
        case EAGAIN: return "another process may be writing the file; wait until that process has closed it"
        default: return "the system refuses it (\(cause)); correct the cause, and the agent tries again"
        }
    }
}

/// An open directory of a folder.
struct OpenDirectory: ~Copyable {
    let descriptor: Int32
    /// The file system of the directory.
    let device: UInt64
    let inode: UInt64

    /// - Parameter descriptor: the result of a call that opens a directory. This value closes it.
    fileprivate init(_ descriptor: Int32) throws(FolderError) {
        guard descriptor >= 0 else { throw FolderError(number: errno) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let number = errno
            close(descriptor)
            throw FolderError(number: number)
        }
        self.descriptor = descriptor
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
    }

    deinit {
        close(descriptor)
    }

    /// Whether other computers may change files of the file system unseen by this one.
    var isShared: Bool { SourceFile.fileSystem(of: descriptor) == .shared }

    /// The status of a name, without following a symbolic link; `nil` if the name does not exist.
    func status(of name: some Collection<UInt8>) throws(FolderError) -> stat? {
        var status = stat()
        guard withPath(name, { fstatat(descriptor, $0, &status, AT_SYMLINK_NOFOLLOW) }) == 0 else {
            guard errno == ENOENT else { throw FolderError(number: errno) }
            return nil
        }
        return status
    }

    /// The stamp of the regular file that has this name; `nil` if the name has none.
    func stamp(of name: some Collection<UInt8>) throws(FolderError) -> FileStamp? {
        guard let status = try status(of: name), status.isRegularFile else { return nil }
        return FileStamp(status)
    }
}

/// Opens directories and files beneath the root of a folder. Symbolic links in the path of the root are followed,
/// because the user named it. Beneath the root no symbolic link is followed and no other file system is entered, also
/// if another process changes a directory at that moment.
struct FolderTree: Sendable {
    let root: String
    let calls: FolderCalls

    func openRoot() throws(FolderError) -> OpenDirectory {
        do throws(FolderError) {
            return try OpenDirectory(open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC))
        } catch {
            throw FolderError(number: error.number, isOfRoot: true)
        }
    }

    /// Opens the directory of a file.
    func openDirectory(of path: ItemPath) throws(FolderError) -> OpenDirectory {
        try openDirectory(path.directory, beneath: openRoot())
    }

    /// - Parameter path: empty for the root; otherwise names separated by slashes. A slash at the end changes nothing.
    func openDirectory(
        _ path: some Collection<UInt8>, beneath root: consuming OpenDirectory
    ) throws(FolderError) -> OpenDirectory {
        path.isEmpty ? root : try openDirectory(path, within: root)
    }

    /// - Parameter path: names separated by slashes; not empty. A slash at the end changes nothing.
    func openDirectory(
        _ path: some Collection<UInt8>, within root: borrowing OpenDirectory
    ) throws(FolderError) -> OpenDirectory {
        // A system call would take the bytes before a zero for the whole path.
        guard !path.contains(0) else { throw FolderError(number: ENOENT) }
        let opened =
            calls.opensBeneath
            ? try OpenDirectory(
                withPath(path) { SystemCalls.openBeneath(root.descriptor, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) })
            : try openNameByName(path, within: root)
        guard opened.device == root.device else { throw FolderError(number: EXDEV) }
        return opened
    }

    private func openNameByName(
        _ bytes: some Collection<UInt8>, within root: borrowing OpenDirectory
    ) throws(FolderError) -> OpenDirectory {
        var directory = try OpenDirectory(openat(root.descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC))
        for name in bytes.split(separator: UInt8(ascii: "/")) {
            guard !name.elementsEqual("..".utf8) else { throw FolderError(number: EXDEV) }
            directory = try OpenDirectory(
                withPath(name) {
                    openat(directory.descriptor, $0, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
                })
            guard directory.device == root.device else { throw FolderError(number: EXDEV) }
        }
        return directory
    }

    /// Opens a regular file for reading. Anything else that has the path counts as missing.
    func openFile(_ path: ItemPath) throws(FolderError) -> SourceFile {
        let directory = try openDirectory(of: path)
        return try openFile(path.name, in: directory)
    }

    func openFile(
        _ name: some Collection<UInt8>, in directory: borrowing OpenDirectory
    ) throws(FolderError) -> SourceFile {
        guard !name.contains(0) else { throw FolderError(number: ENOENT) }
        // Opening a device may change its state, so look before.
        guard let status = try directory.status(of: name), status.isRegularFile else {
            throw FolderError(number: ENOENT)
        }
        let flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW
        let descriptor = withPath(name) {
            calls.opensBeneath
                ? SystemCalls.openBeneath(directory.descriptor, $0, flags)
                : openat(directory.descriptor, $0, flags | O_CLOEXEC)
        }
        guard descriptor >= 0 else { throw FolderError(number: errno) }
        let file = SourceFile(descriptor: descriptor)
        var opened = stat()
        guard fstat(descriptor, &opened) == 0, opened.isRegularFile else { throw FolderError(number: ENOENT) }
        return file
    }
}

extension stat {
    var isRegularFile: Bool { st_mode & S_IFMT == S_IFREG }
    var isDirectory: Bool { st_mode & S_IFMT == S_IFDIR }
}
