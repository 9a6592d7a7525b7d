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
    /// - Parameter path: below the directory that was named, without a slash at its end.
    func entersDirectory(_ path: String) -> Bool { !excluded.contains { Self.fits($0, path) } }

    /// - Parameter path: below the directory that was named.
    func sendsFile(_ path: String) -> Bool {
        entersDirectory(path) && (included.isEmpty || included.contains { Self.fits($0, path) })
    }

    private static func fits(_ pattern: String, _ path: String) -> Bool {
        if pattern.contains("/") { return fnmatch(pattern, path, 0) == 0 }
        let name = path.split(separator: "/").last.map(String.init) ?? path
        return fnmatch(pattern, name, 0) == 0
    }
}
