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
        /// Changes who owns a file.
        case setOwner
        /// Changes who may read and write a file.
        case setPermissions
        case rename, link, removeFile
        /// Renames only where nothing has the new name.
        case renameIfAbsent
        case makeFolder, removeFolder
    }

    package var operation: Operation
    /// For `rename`, `renameIfAbsent` and `link` the path that is given up or already there.
    package var path: String
    /// The new path of a `rename`, `renameIfAbsent` or `link`.
    package var target: String?

    package init(_ operation: Operation, _ path: String, target: String? = nil) {
        self.operation = operation
        self.path = path
        self.target = target
    }
}
