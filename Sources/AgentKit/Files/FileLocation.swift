import TransferCommon

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Location of a file: a path that the user named, or a path below a directory that the user named.
///
/// Symbolic links in the path that the user named are followed. Links below a named directory are not followed: after
/// the walk has found a file or directory, another user could replace it by a link. The agent would then send a file
/// that the user never chose.
package struct FileLocation: Equatable, Sendable {
    /// The path as the user named it.
    package var root: String
    /// Path below `root`, without a slash at either end; `nil` if `root` is the file itself.
    package var below: String?

    package init(root: String, below: String? = nil) {
        self.root = root
        self.below = below
    }

    /// Location of a file that an earlier run has found. A file that the walk found is opened below the directory that
    /// the user named then.
    ///
    /// - Parameters:
    ///   - path: whole path of the file; of a stream, `SourceStream.path`.
    ///   - root: the path that the user named; empty if it is unknown. In that case no link in `path` is followed,
    ///     because it is unknown which of its directories the user named.
    package init(path: String, namedAs root: String) {
        guard path.isAbsolutePath, !path.utf8.elementsEqual(root.utf8) else {
            self.init(root: path)
            return
        }
        let slash = UInt8(ascii: "/")
        var start = Array(root.utf8)
        while start.last == slash { start.removeLast() }
        let isBelow = !root.isEmpty && path.utf8.starts(with: start + [slash])
        let rest = path.utf8.dropFirst(isBelow ? start.count : 0).drop { $0 == slash }
        self.init(root: isBelow ? root : "/", below: String(decoding: rest, as: UTF8.self))
    }

    package var path: String { below.map { Self.joined(root, $0) } ?? root }

    /// Joins a directory path and a name with exactly one slash.
    static func joined(_ path: String, _ name: String) -> String {
        path.utf8.last == UInt8(ascii: "/") ? path + name : path + "/" + name
    }

    /// Joins a directory path and a name that need not be UTF-8.
    static func joined(_ path: String, _ name: [UInt8]) -> [UInt8] { Array(joined(path, "").utf8) + name }

    /// Opens the file for reading.
    ///
    /// - Returns: the descriptor, or a negative number with `errno` set by the system call.
    func openDescriptor() -> Int32 {
        // O_NONBLOCK: without it, opening a named pipe would wait until a writer opens the pipe, too.
        let flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY
        guard let below else { return open(root, flags) }
        var folder = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        var names = below.utf8.split(separator: UInt8(ascii: "/")).map { String(decoding: $0, as: UTF8.self) }[...]
        guard let file = names.popLast() else { return folder }
        for name in names where folder >= 0 {
            let next = openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
            Self.release(folder, keepingErrorOf: next)
            folder = next
        }
        guard folder >= 0 else { return folder }
        let descriptor = openat(folder, file, flags | O_NOFOLLOW)
        Self.release(folder, keepingErrorOf: descriptor)
        return descriptor
    }

    private static func release(_ descriptor: Int32, keepingErrorOf result: Int32) {
        let number = errno
        close(descriptor)
        if result < 0 { errno = number }
    }
}

/// Calls `body` with a path as a C string. The path is given as bytes, because it need not be UTF-8.
package func withPath<Result>(_ path: some Collection<UInt8>, _ body: (UnsafePointer<CChar>) -> Result) -> Result {
    // A scan calls this for each file, so the text gets no memory from the heap.
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: path.count + 1) { text in
        let isCopied: Void? = path.withContiguousStorageIfAvailable { _ = text.initialize(fromContentsOf: $0) }
        if isCopied == nil { _ = text.initialize(fromContentsOf: Array(path)) }
        text.initializeElement(at: path.count, to: 0)
        return text.withMemoryRebound(to: CChar.self) { text in
            // The text is never empty, so `baseAddress` is never `nil`.
            text.baseAddress.map { body($0) } ?? body("")
        }
    }
}

/// Identifies a file or directory independently of its path.
package struct FileIdentity: Hashable, Sendable {
    private let device: UInt64
    private let inode: UInt64

    init(_ status: stat) {
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
    }

    /// Looks up the identity of a file or directory. Follows links.
    ///
    /// - Returns: `nil` if the path does not lead to a file.
    package init?(of path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(status)
    }

    /// Whether the identity is that of an open directory.
    package func isDirectory(device: UInt64, inode: UInt64) -> Bool { self.device == device && self.inode == inode }

    /// Whether a path lies in this directory or is this directory, after resolving all links.
    package func contains(_ path: String) -> Bool {
        guard let resolved = realpath(path, nil) else { return false }
        defer { free(resolved) }
        var bytes = Array(String(cString: resolved).utf8)
        while true {
            if FileIdentity(of: bytes.isEmpty ? "/" : String(decoding: bytes, as: UTF8.self)) == self {
                return true
            }
            guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return false }
            bytes.removeSubrange(slash...)
        }
    }
}
