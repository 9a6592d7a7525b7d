import TransferCommon

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The paths that a push names, asked whether a file of another one has the same key.
///
/// Below one directory keys are different by themselves. Two directories give the same key where both hold a file of
/// the same relative path, so the file system answers, and no list of keys is kept in memory.
struct PushedRoots {
    /// A path that the user named.
    struct Root {
        /// By the order of naming.
        var number: Int
        var path: String
        /// Its last segment: the key, where it is a file.
        var key: String
    }

    /// Without those that name the same once more.
    let all: [Root]
    private let directories: [Root]
    /// By key.
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
            // What cannot be looked at is told when its turn comes.
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

    /// The path of a file of another root that has the same key; `nil` where there is none.
    func otherFile(for key: [UInt8], than number: Int) -> String? {
        guard all.count > 1 else { return nil }
        if let named = files[key]?.first(where: { $0.number != number }) { return named.path }
        guard filter.sendsFile(key) else { return nil }
        for root in directories where root.number != number && gives(root, key) {
            return FileLocation.joined(root.path, String(decoding: key, as: UTF8.self))
        }
        return nil
    }

    /// Whether a walk below a directory finds a file of this relative path.
    private func gives(_ root: Root, _ below: [UInt8]) -> Bool {
        let path = FileLocation.joined(root.path, String(decoding: below, as: UTF8.self))
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return false }
        // No link leads there, and the agent's home is not on the way.
        for (index, byte) in below.enumerated() where byte == UInt8(ascii: "/") {
            let folder = FileLocation.joined(root.path, String(decoding: below[..<index], as: UTF8.self))
            guard lstat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, FileIdentity(status) != home
            else { return false }
        }
        return home?.contains(root.path) != true
    }
}
