#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Which files below a directory are sent. Files that are named on the command line themselves always are.
package struct FileFilter: Equatable, Sendable {
    /// Shell patterns (`*`, `?`, `[a-z]`). One with a slash is compared with the whole path below the directory, one
    /// without with each name on it, so that `cache` leaves out everything below a folder of that name.
    package var excluded: [String] = []
    /// Where there are any, only files that one of them fits are sent.
    package var included: [String] = []

    package init(included: [String] = [], excluded: [String] = []) {
        self.included = included
        self.excluded = excluded
    }

    /// Whether to look into a directory at all.
    ///
    /// - Parameter path: below the directory that was named, without a slash at its end. Bytes, since a name need not
    ///   be UTF-8.
    package func entersDirectory(_ path: [UInt8]) -> Bool { !excluded.contains { Self.fits($0, path) } }

    /// - Parameter path: below the directory that was named.
    package func sendsFile(_ path: [UInt8]) -> Bool {
        entersDirectory(path) && (included.isEmpty || included.contains { Self.fits($0, path) })
    }

    private static func fits(_ pattern: String, _ path: [UInt8]) -> Bool {
        let slash = UInt8(ascii: "/")
        let subject = pattern.utf8.contains(slash) ? path[...] : path.split(separator: slash).last ?? []
        return withPath(subject) { fnmatch(pattern, $0, 0) } == 0
    }
}
