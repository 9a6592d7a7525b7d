/// A system call on the file system: its kind and its path.
package struct FileCall: Hashable, Sendable {
    /// The kinds of calls that tests and errors distinguish.
    package enum Operation: Hashable, Sendable {
        case openFile, openFolder, createFile
        /// Opens an entry of a folder with `openat2`.
        case openBeneath
        /// Reads attributes of a file system or folder.
        case inspect
        case read, write, clone
        /// Makes a file's bytes and size durable.
        case syncFile
        /// Makes the names in a folder durable.
        case syncFolder
        case status, list, lock, touch
        /// Changes who owns a file.
        case setOwner
        /// Changes who may read and write a file.
        case setPermissions
        case rename, link, removeFile
        /// Renames only if nothing exists under the new name.
        case renameIfAbsent
        case makeFolder, removeFolder
    }

    package var operation: Operation
    /// The path of the call. For `rename`, `renameIfAbsent` and `link`: the existing path.
    package var path: String
    /// For `rename`, `renameIfAbsent` and `link`: the new path. Otherwise `nil`.
    package var target: String?

    package init(_ operation: Operation, _ path: String, target: String? = nil) {
        self.operation = operation
        self.path = path
        self.target = target
    }
}
