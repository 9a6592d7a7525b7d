import TransferCommon

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The paths that a push names. Finds out whether files of two of these paths have the same key.
///
/// Keys below one directory always differ. Two directories produce the same key if both contain a file with the same
/// relative path. To find out, this type looks for that relative path in the other directory, so no list of keys is
/// kept in memory.
struct PushedRoots {
    /// A path that the user named.
    struct Root {
        /// Position of the path in the order in which the user named the paths.
        var number: Int
        var path: String
        /// Last segment of the path. It is the key if the path is a file.
        var key: String
    }

    /// The paths that the user named, without duplicates.
    let all: [Root]
    private let directories: [Root]
    private let files: [[UInt8]: [Root]]
    private let filter: FileFilter
    private let home: FileIdentity?

    init(_ paths: [String], filter: FileFilter, home: FileIdentity?) {
        self.filter = filter
        self.home = home
        var all: [Root] = []
        var directories: [Root] = []
        var files: [[UInt8]: [Root]] = [:]
        var seen: Set<Seen> = []
        for (number, path) in paths.enumerated() {
            let root = Root(number: number, path: path, key: path.lastPathSegment)
            var status = stat()
            // A path for which `stat` fails is skipped here. The walk reports it.
            if stat(path, &status) == 0 {
                let isDirectory = status.st_mode & S_IFMT == S_IFDIR
                let key = Array(root.key.utf8)
                guard seen.insert(Seen(file: FileIdentity(status), key: isDirectory ? [] : key)).inserted else {
                    continue
                }
                if isDirectory {
                    directories.append(root)
                } else if status.st_mode & S_IFMT == S_IFREG {
                    files[key, default: []].append(root)
                }
            }
            all.append(root)
        }
        (self.all, self.directories, self.files) = (all, directories, files)
    }

    private struct Seen: Hashable {
        var file: FileIdentity
        var key: [UInt8]
    }

    /// Path of a file that another named path leads to and that has the same key; `nil` if there is none.
    ///
    /// - Parameter number: `Root.number` of the named path from which the caller has the key.
    func otherFile(for key: [UInt8], than number: Int) -> String? {
        guard all.count > 1 else { return nil }
        if let named = files[key]?.first(where: { $0.number != number }) { return named.path }
        guard filter.sendsFile(key) else { return nil }
        for root in directories where root.number != number && gives(root, key) {
            return FileLocation.joined(root.path, String(decoding: key, as: UTF8.self))
        }
        return nil
    }

    /// Whether a walk below a directory finds a file with this relative path.
    private func gives(_ root: Root, _ below: [UInt8]) -> Bool {
        let path = FileLocation.joined(root.path, String(decoding: below, as: UTF8.self))
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return false }
        // A walk follows no symbolic link and does not enter the agent's home, so it finds no file below a link or the
        // home.
        for (index, byte) in below.enumerated() where byte == UInt8(ascii: "/") {
            let folder = FileLocation.joined(root.path, String(decoding: below[..<index], as: UTF8.self))
            guard lstat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, FileIdentity(status) != home
            else { return false }
        }
        return home?.contains(root.path) != true
    }
}
