import TransferCommon

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The error for a file or folder that could not be used.
///
/// `description` names the file without its directory, so it may be logged. `debugDescription` contains the complete
/// path.
package struct FileError: Error, Hashable {
    /// The reason why the file could not be used: a system call failed, or the file does not have the required type,
    /// length or permissions.
    package enum Cause: Hashable, Sendable {
        /// A system call failed.
        /// - Parameter errno: the error number that the system call has set.
        case system(FileCall, errno: CInt)
        /// Other users than the owner may read or write the file, which contains a secret.
        /// - Parameter mode: the file's permissions.
        case openToOthers(mode: UInt32)
        /// Other users than the owner may change the file, whose content decides what the program does.
        /// - Parameter mode: the file's permissions.
        case writableByOthers(mode: UInt32)
        /// The file or folder belongs to a user that is neither root nor the user of this process.
        /// - Parameter owner: that user's number.
        case belongsToOther(owner: UInt32)
        /// Other users than the owner may enter the folder. Sluice does not close it to them, because the folder is not
        /// empty or every user may make files in it.
        /// - Parameter mode: the folder's permissions.
        case folderOpenToOthers(mode: UInt32)
        /// The path leads to a directory, a pipe or a device.
        case notRegularFile
        case tooLong(bytesMax: Int)
    }

    /// The file that the caller wanted to use. The failed system call may have been on the file's directory or on a
    /// temporary file instead.
    package let path: String
    package let cause: Cause

    package init(path: String, cause: Cause) {
        self.path = path
        self.cause = cause
    }

    /// Makes the error for a failed call. `path` is the path of the call; for a rename or link it is the new path.
    package init(_ call: FileCall, errno: CInt) {
        self.init(path: call.target ?? call.path, cause: .system(call, errno: errno))
    }

    /// The same error for another `path`: the file that the caller wanted to use when the call failed.
    func concerning(_ path: String) -> FileError {
        FileError(path: path, cause: cause)
    }

    /// The system call that failed; `nil` if the cause is not a failed call.
    package var call: FileCall? {
        guard case .system(let call, _) = cause else { return nil }
        return call
    }

    /// The error number of the failed system call; `nil` if the cause is not a failed call.
    package var code: CInt? {
        guard case .system(_, let code) = cause else { return nil }
        return code
    }

    /// Whether the operating system caused the error. If so, the same call may succeed later. Any other cause lasts
    /// until the file changes.
    package var isOfSystem: Bool { call != nil }

    /// Whether the file does not exist.
    package var isMissing: Bool {
        call?.operation == .openFile && code == ENOENT
    }

    /// Whether a file that was to be created exists already.
    package var isExisting: Bool {
        [.link, .renameIfAbsent].contains(call?.operation) && code == EEXIST
    }
}

extension FileError: CustomStringConvertible, CustomDebugStringConvertible {
    package var description: String {
        sentence(naming: path.lastPathSegment)
    }

    package var debugDescription: String {
        sentence(naming: path)
    }

    private func sentence(naming file: String) -> String {
        switch cause {
        case .system(let call, let code):
            return "Could not \(attempt(call, naming: file)): \(String(cString: strerror(code)))."
        case .openToOthers(let mode):
            let digits = String(mode, radix: 8)
            return "\(file) holds a secret, but others than its owner may use it (mode \(digits)). "
                + "Run \"chmod 600\" on it, and replace its content if others may have read it."
        case .writableByOthers(let mode):
            return "Others than its owner may change \(file) (mode \(String(mode, radix: 8))). "
                + "Run \"chmod go-w\" on it, and check its content if others may have changed it."
        case .belongsToOther(let owner):
            return "\(file) belongs to the user with the number \(owner). "
                + "Run this as that user, or make this user its owner."
        case .folderOpenToOthers(let mode):
            return "Others than its owner may enter the directory \(file) (mode \(String(mode, radix: 8))), and it is "
                + "not empty or anyone may write there. Run \"chmod 700\" on it, or choose another directory."
        case .notRegularFile:
            return "\(file) is not a regular file."
        case .tooLong(let bytesMax):
            return "\(file) is longer than \(bytesMax) bytes, so it is not the expected file."
        }
    }

    private func attempt(_ call: FileCall, naming file: String) -> String {
        let directory = call.path == path ? "the directory \(file)" : "the directory of \(file)"
        return switch call.operation {
        case .openFile: "open \(file)"
        case .openFolder, .openBeneath: "open \(directory)"
        case .createFile: call.path == path ? "create \(file)" : "create a temporary file beside \(file)"
        case .inspect: "ask for the attributes of \(file)"
        case .read: "read \(file)"
        case .write: "write \(file)"
        case .clone: "clone bytes into \(file)"
        case .syncFile: "write \(file) to the disk"
        case .syncFolder: "write \(directory) to the disk"
        case .status: "look at \(file)"
        case .list: "list \(directory)"
        case .lock: "lock \(file)"
        case .touch: "set the modification time of \(file)"
        case .setOwner: "keep the owner of \(file)"
        case .setPermissions: "set the mode of \(file)"
        case .rename, .renameIfAbsent, .link: "put \(file) in its place"
        case .removeFile: "remove \(file)"
        case .makeFolder: "make \(directory)"
        case .removeFolder: "remove \(directory)"
        }
    }
}
