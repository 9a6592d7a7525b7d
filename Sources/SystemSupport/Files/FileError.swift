import TransferCommon
import WireProtocol

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A file that could not be read or written.
///
/// `description` names the file without its directory, fit for a log; `debugDescription` adds the whole path.
package struct FileError: Error, Hashable {
    /// The step that failed.
    package enum Operation: Hashable, Sendable {
        case openDirectory
        case createTemporary
        case setOwner
        case setMode
        case write
        case synchronize
        /// Giving the finished temporary file its final name.
        case rename
        case synchronizeDirectory
        case open
        case inspect
        case lock
        case read
    }

    /// What stood in the way: the system, or what the file turned out to be.
    package enum Cause: Hashable, Sendable {
        /// - Parameter errno: as the system call left it.
        case system(Operation, errno: Int32)
        /// Anyone but the owner may read or write a file that holds a secret.
        /// - Parameter mode: the permission bits that were found.
        case openToOthers(mode: UInt32)
        /// A directory, a pipe or a device stands where a file belongs.
        case notRegularFile
        case tooLong(bytesMax: Int)
    }

    package let path: String
    package let cause: Cause

    package init(path: String, cause: Cause) {
        self.path = path
        self.cause = cause
    }

    package init(path: String, failed operation: Operation, errno: Int32) {
        self.init(path: path, cause: .system(operation, errno: errno))
    }

    /// Whether there is no file of this name, as against one that cannot be used.
    package var isMissing: Bool {
        cause == .system(.open, errno: ENOENT)
    }

    /// Whether a file that had to be new is there already.
    package var isExisting: Bool {
        cause == .system(.rename, errno: EEXIST)
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
        case .system(let operation, let code):
            let attempt =
                switch operation {
                case .openDirectory: "open the directory of \(file)"
                case .createTemporary: "create a temporary file beside \(file)"
                case .setOwner: "keep the owner of \(file)"
                case .setMode: "set the mode of \(file)"
                case .write: "write \(file)"
                case .synchronize: "bring \(file) to the disk"
                case .rename: "put \(file) in its place"
                case .synchronizeDirectory: "bring the directory of \(file) to the disk"
                case .open: "open \(file)"
                case .inspect: "look at \(file)"
                case .lock: "lock \(file)"
                case .read: "read \(file)"
                }
            return "Could not \(attempt): \(String(cString: strerror(code)))."
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
}
