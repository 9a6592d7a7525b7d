/// Selects the files below a directory that a push sends. The filter does not apply to files that the command line
/// names directly: they are always sent.
///
/// A pattern with a slash is matched against the whole path below the directory. A pattern without a slash is matched
/// against each name in the path, so `cache` also excludes everything below a folder `cache`.
package struct FileFilter: Equatable, Sendable {
    private let included: [ShellPattern]
    private let excluded: [ShellPattern]

    /// - Parameters:
    ///   - included: shell patterns (`*`, `?`, `[a-z]`). If there are any, only files that match one of them are sent.
    ///   - excluded: shell patterns of the files and directories to leave out.
    package init(included: [String] = [], excluded: [String] = []) {
        self.included = included.map(ShellPattern.init)
        self.excluded = excluded.map(ShellPattern.init)
    }

    /// Whether to walk into a directory.
    ///
    /// - Parameter path: path below the named directory, without a slash at its end; bytes, because names need not be
    ///   UTF-8.
    package func entersDirectory(_ path: [UInt8]) -> Bool { excluded.isEmpty || !Self.fit(excluded, Subject(path)) }

    /// Whether to send a file.
    ///
    /// - Parameter path: path below the named directory.
    package func sendsFile(_ path: [UInt8]) -> Bool {
        guard !(included.isEmpty && excluded.isEmpty) else { return true }
        let subject = Subject(path)
        return !Self.fit(excluded, subject) && (included.isEmpty || Self.fit(included, subject))
    }

    private static func fit(_ patterns: [ShellPattern], _ subject: Subject) -> Bool {
        patterns.contains { $0.matches($0.hasSlash ? subject.whole[...] : subject.name) }
    }

    /// A path as the characters that patterns are matched against.
    private struct Subject {
        let whole: [ShellPattern.Unit]
        let name: ArraySlice<ShellPattern.Unit>

        init(_ bytes: [UInt8]) {
            whole = ShellPattern.units(of: bytes)
            let slash = ShellPattern.Unit(UInt8(ascii: "/"))
            // The last component: a path has no slash at its end.
            name = whole[((whole.lastIndex(of: slash) ?? -1) + 1)...]
        }
    }
}
