import RepositoryFiles

/// Files of the repository that tests compare with the code.
enum Repository {
    /// - Parameter path: relative to the repository's root.
    static func lines(of path: String) throws -> [String] {
        try RepositoryFiles.text(of: path).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    /// The fields of each line of a vector file (specification §14), without comments.
    static func vectors(_ file: String, fieldCount: Int) throws -> [[String]] {
        try lines(of: "Protocol/vectors/\(file)").filter { !$0.isEmpty && !$0.hasPrefix("#") }.map { line in
            let fields = columns(of: line, separatedBy: " | ")
            guard fields.count == fieldCount else { throw VectorError(reason: "\(file): \(line.prefix(80))") }
            return fields
        }
    }

    /// The cells of the table rows in the section of the specification with this heading.
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

    /// The rows of the table of codes, which is not the only table in its section.
    static func codeRows() throws -> [[String]] {
        try tableRows(underHeading: "## 12. Codes").filter { $0[0].hasPrefix("0x") }
    }

    /// Splits `line` at each `separator`.
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

/// A vector file does not have the form that the specification describes.
struct VectorError: Error, CustomStringConvertible {
    let reason: String

    var description: String { reason }
}
