#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The special files that a walk has left out: they have no content that could be stored.
package struct SpecialFiles: Equatable, Sendable {
    /// Kinds of special files, each with the word for the user.
    package enum Kind: String, CaseIterable, Sendable {
        case pipe = "FIFO"
        case socket
        case device

        /// - Returns: `nil` for files of other kinds.
        init?(mode: mode_t) {
            switch mode & S_IFMT {
            case S_IFIFO: self = .pipe
            case S_IFSOCK: self = .socket
            case S_IFCHR, S_IFBLK: self = .device
            default: return nil
            }
        }
    }

    /// Maximum number of paths in memory. The counts include the others.
    package static let pathsMax = 1_000

    private var counts: [Kind: Int] = [:]
    /// Their paths, in the order of the walk.
    package private(set) var paths: [String] = []

    package init() {}

    /// Counts a special file, and keeps its path while there are fewer than `pathsMax`.
    package mutating func add(_ kind: Kind, path: String) {
        counts[kind, default: 0] += 1
        if paths.count < Self.pathsMax { paths.append(path) }
    }

    package var count: Int { counts.values.reduce(0, +) }

    /// The line for the user; `nil` if there are none.
    package var sentence: String? {
        guard count > 0 else { return nil }
        let kinds = Kind.allCases.compactMap { kind in counts[kind].map { counted($0, kind.rawValue) } }
        return "\(counted(count, "special file")) left out: \(kinds.joined(separator: ", "))"
    }
}
