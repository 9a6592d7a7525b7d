import AgentKit
import SystemSupport

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

// Changes of the names in an open directory. Each call names one entry, so that no symbolic link is followed.

extension OpenDirectory {
    /// Renames only if nothing has the new name; otherwise throws `EEXIST`. Throws `EINVAL` or `ENOSYS` if the system
    /// cannot do this.
    func renameIfAbsent(
        _ name: ArraySlice<UInt8>, to newName: ArraySlice<UInt8>, in target: borrowing OpenDirectory
    ) throws(FolderError) {
        let (from, to) = (descriptor, target.descriptor)
        try Self.check(
            withPath(name) { name in withPath(newName) { SystemCalls.renameIfAbsent(from, name, to: to, $0) } })
    }

    /// Renames within this directory. Replaces a file that has the new name.
    func rename(_ name: ArraySlice<UInt8>, to newName: ArraySlice<UInt8>) throws(FolderError) {
        try Self.check(
            withPath(name) { name in withPath(newName) { renameat(descriptor, name, descriptor, $0) } })
    }

    /// Gives a file a second name. Throws `EEXIST` if the name exists.
    func link(
        _ name: ArraySlice<UInt8>, to newName: ArraySlice<UInt8>, in target: borrowing OpenDirectory
    ) throws(FolderError) {
        let (from, to) = (descriptor, target.descriptor)
        try Self.check(withPath(name) { name in withPath(newName) { linkat(from, name, to, $0, 0) } })
    }

    /// Removes the name of a file.
    func unlink(_ name: ArraySlice<UInt8>) throws(FolderError) {
        try Self.check(withPath(name) { unlinkat(descriptor, $0, 0) })
    }

    /// Makes a directory, if nothing has the name.
    func makeDirectory(_ name: ArraySlice<UInt8>) throws(FolderError) {
        guard withPath(name, { mkdirat(descriptor, $0, 0o777) }) != 0, errno != EEXIST else { return }
        throw FolderError(number: errno)
    }

    /// Makes the names in this directory durable.
    func sync() throws(FolderError) {
        // Some network file systems cannot sync a directory; their servers make each change durable.
        guard fsync(descriptor) != 0, ![EINVAL, EOPNOTSUPP, ENOSYS].contains(errno) else { return }
        throw FolderError(number: errno)
    }

    private static func check(_ result: Int32) throws(FolderError) {
        guard result == 0 else { throw FolderError(number: errno) }
    }
}

extension FolderTree {
    /// Opens a directory, and makes it and those above it as far as they are missing.
    ///
    /// - Parameter bytes: the path: empty for the root; otherwise names that end with a slash.
    func makeDirectory(_ bytes: ArraySlice<UInt8>) throws(FolderError) -> OpenDirectory {
        var directory = try openRoot()
        for name in bytes.split(separator: UInt8(ascii: "/")) {
            try directory.makeDirectory(name)
            directory = try openDirectory(name, within: directory)
        }
        return directory
    }

    /// Makes the names in a directory and in those above it durable. A directory that does not exist has no names.
    ///
    /// - Parameter bytes: the path: empty for the root; otherwise names that end with a slash.
    func syncDirectories(_ bytes: ArraySlice<UInt8>) throws(FolderError) {
        do throws(FolderError) {
            var directory = try openRoot()
            try directory.sync()
            for name in bytes.split(separator: UInt8(ascii: "/")) {
                directory = try openDirectory(name, within: directory)
                try directory.sync()
            }
        } catch {
            guard error.isMissing || error.number == ENOENT else { throw error }
        }
    }
}
