import RepositoryFiles

/// The files that the tests hold the code to.
enum Repository {
    /// - Parameter path: from the repository's root.
    static func lines(of path: String) throws -> [String] {
        try RepositoryFiles.text(of: path).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    /// The fields of each line of a vector file (specification §14), comments left out.
    static func vectors(_ file: String, fieldCount: Int) throws -> [[String]] {
        try lines(of: "Protocol/vectors/\(file)").filter { !$0.isEmpty && !$0.hasPrefix("#") }.map { line in
            let fields = columns(of: line, separatedBy: " | ")
            guard fields.count == fieldCount else { throw VectorError(reason: "\(file): \(line.prefix(80))") }
            return fields
        }
    }

    /// The cells of the table rows between a heading of the specification and the next of its kind.
    static func tableRows(underHeading heading: String) throws -> [[String]] {
        let lines = try lines(of: "Protocol/specification.md")
        guard let start = lines.firstIndex(of: heading) else { throw VectorError(reason: "no \(heading)") }
        let section = lines[(start + 1)...].prefix { !$0.hasPrefix("#") }
        let rows = section.filter { $0.hasPrefix("| ") }.map { line in
            columns(of: String(line.dropFirst(2)), separatedBy: "|").map { cell in
                String(cell.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
            }
        }
        return Array(rows.dropFirst())
    }

    /// The rows of the table of codes, behind the table of words in their section.
    static func codeRows() throws -> [[String]] {
        try tableRows(underHeading: "## 12. Codes").filter { $0[0].hasPrefix("0x") }
    }

    /// The pieces of `line` between the places where `separator` stands.
    static func columns(of line: String, separatedBy separator: String) -> [String] {
        var columns: [String] = []
        var rest = line[...]
        while let range = rest.firstRange(of: separator) {
            columns.append(String(rest[..<range.lowerBound]))
            rest = rest[range.upperBound...]
        }
        return columns + [String(rest)]
    }
}

/// A vector file is not what the specification says it is.
struct VectorError: Error, CustomStringConvertible {
    let reason: String

    var description: String { reason }
}
