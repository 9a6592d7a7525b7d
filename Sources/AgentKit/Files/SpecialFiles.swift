#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// What a walk below directories has left out: special files, which have no content that could be stored, symbolic
/// links, which it does not follow, and files that the filter does not send.
package struct SpecialFiles: Equatable, Sendable {
    /// Kinds of files that are never sent, each with the word for the user.
    package enum Kind: String, CaseIterable, Sendable {
        case pipe = "FIFO"
        case socket
        case device
        case link = "symbolic link"

        /// - Returns: `nil` for files of other kinds.
        init?(mode: mode_t) {
            switch mode & S_IFMT {
            case S_IFIFO: self = .pipe
            case S_IFSOCK: self = .socket
            case S_IFCHR, S_IFBLK: self = .device
            case S_IFLNK: self = .link
            default: return nil
            }
        }
    }

    /// Maximum number of paths in memory. The counts include the others.
    package static let pathsMax = 1_000

    private var counts: [Kind: Int] = [:]
    /// The paths of special files and links, in the order of the walk.
    package private(set) var paths: [String] = []
    /// The bytes of those paths that are not UTF-8, by their place in `paths`.
    package private(set) var pathBytes: [Int: [UInt8]] = [:]
    /// How many files and directories the filter does not send. Files below such a directory are not counted.
    package var filteredCount = 0

    package init() {}

    /// Counts a special file or link, and keeps its path while there are fewer than `pathsMax`.
    ///
    /// - Parameter bytes: the bytes of the path if it is not UTF-8.
    package mutating func add(_ kind: Kind, path: String, bytes: [UInt8]? = nil) {
        counts[kind, default: 0] += 1
        guard paths.count < Self.pathsMax else { return }
        if let bytes { pathBytes[paths.count] = bytes }
        paths.append(path)
    }

    package var count: Int { counts.values.reduce(0, +) }

    /// The line for the user; `nil` if there are none. Files that the filter does not send are what the user wants, so
    /// only `sentenceIfNothingIsSent` names them.
    package var sentence: String? { count > 0 ? "left out: \(kinds.joined(separator: ", "))" : nil }

    /// Why a push has found no file to send.
    package var sentenceIfNothingIsSent: String {
        var reasons = kinds
        if filteredCount > 0 {
            let verb = filteredCount == 1 ? "does" : "do"
            reasons.append("\(counted(filteredCount, "name")) that \(verb) not fit --include and --exclude")
        }
        return "there is no file to send"
            + (reasons.isEmpty
                ? ": no file was found below what you named" : "; left out: \(reasons.joined(separator: ", "))")
    }

    private var kinds: [String] {
        Kind.allCases.compactMap { kind in counts[kind].map { counted($0, kind.rawValue) } }
    }
}
