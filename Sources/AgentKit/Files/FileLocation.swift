#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Where a file is: a path that a user named, or a path below a directory that a user named.
///
/// Symbolic links in what the user named are followed. Below it none is: a link that takes the place of a file or of a
/// directory after the walk has found it must not lead to a file that was never meant.
package struct FileLocation: Equatable, Sendable {
    /// As the user named it.
    package var root: String
    /// Below `root`, without a slash at either end; `nil` where `root` is the file itself.
    package var below: String?

    package init(root: String, below: String? = nil) {
        self.root = root
        self.below = below
    }

    package var path: String { below.map { Self.joined(root, $0) } ?? root }

    /// A path and a name in it, with one slash between them.
    static func joined(_ path: String, _ name: String) -> String {
        path.utf8.last == UInt8(ascii: "/") ? path + name : path + "/" + name
    }

    /// Opens the file for reading.
    ///
    /// - Returns: the descriptor, or a negative number with `errno` as the system call left it.
    func openDescriptor() -> Int32 {
        // Without O_NONBLOCK, opening a pipe would wait for a writer.
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

/// Hands a path to the system as it is, UTF-8 or not.
func withPath<Result>(_ path: some Sequence<UInt8>, _ body: (UnsafePointer<CChar>) -> Result) -> Result {
    (path.map { CChar(bitPattern: $0) } + [0]).withUnsafeBufferPointer { text in
        // An array that ends with a zero is not empty.
        text.baseAddress.map(body) ?? body("")
    }
}

/// What names a file or directory whatever path leads to it.
package struct FileIdentity: Hashable, Sendable {
    private let device: UInt64
    private let inode: UInt64

    init(_ status: stat) {
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
    }

    /// - Returns: `nil` where nothing can be found at the path.
    package init?(of path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(status)
    }

    /// Whether a path lies in this directory, or is it, however many links lead there.
    func contains(_ path: String) -> Bool {
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
