package import TransferCore
import WireProtocol

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
package struct FileWalk: Sequence, IteratorProtocol, Sendable {
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
    /// Asked before each look at the disk; where it says so, `next` gives `nil` although more files may follow.
    package var isInterrupted: @Sendable () -> Bool = { false }

    /// Whether something is left to be looked at.
    package var hasMore: Bool { !pending.isEmpty }

    /// - Parameter paths: as the user named them.
    package init(paths: [String], filter: FileFilter = FileFilter()) {
        self.filter = filter
        pending = paths.reversed().map { Pending(path: $0, key: Self.lastComponent(of: $0), isRoot: true) }
    }

    /// Whether this is all that the user has named.
    func names(_ path: String) -> Bool { pending.count == 1 && pending[0].path == path }

    /// Whether a path names a directory, or a link to one.
    package static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    package mutating func next() -> Found? {
        while !isInterrupted(), let next = pending.popLast() {
            var status = stat()
            let result = next.isRoot ? stat(next.path, &status) : lstat(next.path, &status)
            guard result == 0 else {
                return Found(path: next.path, key: next.key, failure: UploadFailure(lookingAt: next.path, errno: errno))
            }
            switch status.st_mode & S_IFMT {
            case S_IFREG:
                if next.isRoot || filter.sendsFile(next.key) { return Found(path: next.path, key: next.key) }
            case S_IFDIR:
                guard next.isRoot || filter.entersDirectory(next.key) else { continue }
                if let failure = descend(next) { return Found(path: next.path, key: next.key, failure: failure) }
            default:
                if next.isRoot {
                    return Found(path: next.path, key: next.key, failure: .noRegularFile)
                }
            }
        }
        return nil
    }

    private mutating func descend(_ directory: Pending) -> UploadFailure? {
        guard let stream = opendir(directory.path) else {
            return UploadFailure(lookingAt: directory.path, errno: errno)
        }
        defer { closedir(stream) }
        var names: [String] = []
        var failure: UploadFailure?
        while let entry = readdir(stream) {
            guard !isInterrupted() else {
                // It is listed anew by whoever goes on with the walk.
                pending.append(directory)
                return nil
            }
            let bytes = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            guard let name = String(validating: bytes, as: UTF8.self) else {
                let shown = bytes.map {
                    (0x20..<0x7F).contains($0) ? String(UnicodeScalar($0)) : "\\x" + hexadecimal([$0])
                }
                failure = UploadFailure(
                    .unreadable, "a name in it is not UTF-8, as keys have to be; rename \(shown.joined())")
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
}
