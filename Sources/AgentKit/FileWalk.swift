package import TransferCore

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The files below the paths that a push names, in a fixed order, a directory at a time.
///
/// A path that names a file is that file, under its own name. A directory gives every regular file below it that its
/// filter lets through, hidden ones too, under its path relative to the directory. Links below a directory are not
/// followed: a link is not a file, and following it could lead in circles.
package struct FileWalk: Sequence, IteratorProtocol {
    /// A file and the key it is to have, or what could not be looked at.
    package struct Found: Equatable {
        package var path: String
        /// Relative; without the prefix of `push --prefix`.
        package var key: String
        package var failure: UploadFailure?
    }

    private struct Pending {
        var path: String
        var key: String
        var isRoot: Bool
    }

    /// What is still to be looked at; the next one last.
    private var pending: [Pending]
    private let filter: FileFilter

    /// - Parameter paths: as the user named them.
    package init(paths: [String], filter: FileFilter = FileFilter()) {
        self.filter = filter
        pending = paths.reversed().map { Pending(path: $0, key: Self.lastComponent(of: $0), isRoot: true) }
    }

    /// Whether a path names a directory, or a link to one.
    package static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    package mutating func next() -> Found? {
        while let next = pending.popLast() {
            var status = stat()
            let result = next.isRoot ? stat(next.path, &status) : lstat(next.path, &status)
            guard result == 0 else { return Found(path: next.path, key: next.key, failure: Self.failure(errno)) }
            switch status.st_mode & S_IFMT {
            case S_IFREG:
                if next.isRoot || filter.sendsFile(next.key) { return Found(path: next.path, key: next.key) }
            case S_IFDIR:
                guard next.isRoot || filter.entersDirectory(next.key) else { continue }
                if let failure = descend(next) { return Found(path: next.path, key: next.key, failure: failure) }
            default:
                if next.isRoot {
                    return Found(
                        path: next.path, key: next.key, failure: UploadFailure(.unreadable, "it is no regular file"))
                }
            }
        }
        return nil
    }

    private mutating func descend(_ directory: Pending) -> UploadFailure? {
        guard let stream = opendir(directory.path) else { return Self.failure(errno) }
        defer { closedir(stream) }
        var names: [String] = []
        var failure: UploadFailure?
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(validating: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard let name else {
                failure = UploadFailure(.unreadable, "it has an entry whose name is not UTF-8")
                continue
            }
            if name != ".", name != ".." { names.append(name) }
        }
        let prefix = directory.isRoot ? "" : directory.key + "/"
        let path = directory.path.hasSuffix("/") ? directory.path : directory.path + "/"
        for name in names.sorted(by: >) {
            pending.append(Pending(path: path + name, key: prefix + name, isRoot: false))
        }
        return failure
    }

    private static func lastComponent(of path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
    }

    private static func failure(_ number: Int32) -> UploadFailure {
        switch number {
        case ENOENT, ENOTDIR: UploadFailure(.missing, "there is no such file")
        case ELOOP: UploadFailure(.unreadable, "symbolic links lead in a circle")
        default: UploadFailure(.unreadable, "it cannot be looked at: \(systemMessage(number))")
        }
    }
}
