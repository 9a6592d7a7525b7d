#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Selects the files below a directory that a push sends. The filter does not apply to files that the command line
/// names directly: they are always sent.
package struct FileFilter: Equatable, Sendable {
    /// Shell patterns (`*`, `?`, `[a-z]`). A pattern with a slash is matched against the whole path below the
    /// directory. A pattern without a slash is matched against each name in the path, so `cache` also excludes
    /// everything below a folder `cache`.
    package var excluded: [String] = []
    /// Shell patterns, as in `excluded`. If there are any, only files that match one of them are sent.
    package var included: [String] = []

    package init(included: [String] = [], excluded: [String] = []) {
        self.included = included
        self.excluded = excluded
    }

    /// Whether to walk into a directory.
    ///
    /// - Parameter path: path below the named directory, without a slash at its end; bytes, because names need not be
    ///   UTF-8.
    package func entersDirectory(_ path: [UInt8]) -> Bool { !excluded.contains { Self.fits($0, path) } }

    /// Whether to send a file.
    ///
    /// - Parameter path: path below the named directory.
    package func sendsFile(_ path: [UInt8]) -> Bool {
        entersDirectory(path) && (included.isEmpty || included.contains { Self.fits($0, path) })
    }

    private static func fits(_ pattern: String, _ path: [UInt8]) -> Bool {
        let slash = UInt8(ascii: "/")
        let subject = pattern.utf8.contains(slash) ? path[...] : path.split(separator: slash).last ?? []
        return withPath(subject) { fnmatch(pattern, $0, 0) } == 0
    }
}
