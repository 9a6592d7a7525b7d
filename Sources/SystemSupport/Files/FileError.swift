import TransferCommon

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A file or folder that could not be used.
///
/// `description` names the file without its directory, fit for a log; `debugDescription` adds the whole path.
package struct FileError: Error, Hashable {
    /// Why the file could not be used: a system call failed, or the file is not what it has to be.
    package enum Cause: Hashable, Sendable {
        /// - Parameter errno: the value that the system call left.
        case system(FileCall, errno: CInt)
        /// Others than the owner may read or write a file that holds a secret.
        /// - Parameter mode: the file's permissions.
        case openToOthers(mode: UInt32)
        /// The path names a directory, a pipe or a device.
        case notRegularFile
        case tooLong(bytesMax: Int)
    }

    /// The file that the caller asked for. The call that failed may have been on its directory, or on a temporary file.
    package let path: String
    package let cause: Cause

    package init(path: String, cause: Cause) {
        self.path = path
        self.cause = cause
    }

    /// An error for a failed call, about the file that the call names. For a rename or link, that is the file with the
    /// new name.
    package init(_ call: FileCall, errno: CInt) {
        self.init(path: call.target ?? call.path, cause: .system(call, errno: errno))
    }

    /// The same cause, but reported about the file for which the failed call was made.
    func concerning(_ path: String) -> FileError {
        FileError(path: path, cause: cause)
    }

    /// The call that failed; `nil` if no call failed.
    package var call: FileCall? {
        guard case .system(let call, _) = cause else { return nil }
        return call
    }

    /// The `errno` that the failed call left; `nil` if no call failed.
    package var code: CInt? {
        guard case .system(_, let code) = cause else { return nil }
        return code
    }

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
