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
    /// What stood in the way: the system, or what the file turned out to be.
    package enum Cause: Hashable, Sendable {
        /// - Parameter errno: as the system call left it.
        case system(FileCall, errno: CInt)
        /// Anyone but the owner may read or write a file that holds a secret.
        /// - Parameter mode: the permission bits that were found.
        case openToOthers(mode: UInt32)
        /// A directory, a pipe or a device stands where a file belongs.
        case notRegularFile
        case tooLong(bytesMax: Int)
    }

    /// The file that was to be used. The call that failed may have been one on its directory, or on a temporary file.
    package let path: String
    package let cause: Cause

    package init(path: String, cause: Cause) {
        self.path = path
        self.cause = cause
    }

    /// A call that failed. The file is the one that the call names; of a rename or link, the new name's.
    package init(_ call: FileCall, errno: CInt) {
        self.init(path: call.target ?? call.path, cause: .system(call, errno: errno))
    }

    /// The same cause, where the call served another file.
    func concerning(_ path: String) -> FileError {
        FileError(path: path, cause: cause)
    }

    /// The call that failed; `nil` where none did.
    package var call: FileCall? {
        guard case .system(let call, _) = cause else { return nil }
        return call
    }

    /// The `errno` that the failed call left; `nil` where none failed.
    package var code: CInt? {
        guard case .system(_, let code) = cause else { return nil }
        return code
    }

    /// Whether there is no file of this name, as against one that cannot be used.
    package var isMissing: Bool {
        call?.operation == .openFile && code == ENOENT
    }

    /// Whether a file that had to be new is there already.
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
            return "\(file) is longer than \(bytesMax) bytes, so it cannot be what it should be."
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
        case .syncFile: "bring \(file) to the disk"
        case .syncFolder: "bring \(directory) to the disk"
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
