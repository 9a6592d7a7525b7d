import Foundation
import RepositoryFiles

/// The sources of this package, for tests that compare what they say with what they do.
enum SourceText {
    /// The rows of the transition table in the comment at the top of a file: the first word of the first column and of
    /// the last.
    static func tableRows(of path: String) throws -> [(from: String, to: String)] {
        let table = try text(of: path).split(separator: "\n")
            .prefix { $0.hasPrefix("///") || $0.hasPrefix("package import") || $0.hasPrefix("import") }
            .filter { $0.hasPrefix("///     ") }.map { $0.dropFirst(8) }
        return table.dropFirst().compactMap { line in
            let columns = line.split(separator: "  ").map { $0.trimmingCharacters(in: .whitespaces) }
                .filter { !$0.isEmpty }
            guard columns.count == 3, let from = columns[0].split(separator: " ").first,
                let to = columns[2].split(whereSeparator: { ", ".contains($0) }).first
            else { return nil }
            return (String(from), String(to))
        }
    }

    /// A Markdown table of the specification: its header and its rows, cell by cell.
    ///
    /// - Parameters:
    ///   - header: the first cells of the header, which tell the table from others.
    ///   - heading: the heading of the section that the table stands in.
    static func specificationTable(
        _ header: [String], under heading: String
    ) throws -> (header: [String], rows: [[String]]) {
        let lines = try text(of: "Protocol/specification.md")
            .split(separator: "\n", omittingEmptySubsequences: false)
        let section = lines.drop { $0 != heading }.dropFirst().prefix { !$0.hasPrefix("#") }
        let rows = section.map(cells).split { $0.isEmpty }.first { $0.first?.starts(with: header) == true }
        guard let rows, let first = rows.first else { throw MissingTable(header: header, heading: heading) }
        return (first, Array(rows.dropFirst(2)))
    }

    /// The specification has no such table.
    struct MissingTable: Error {
        let header: [String]
        let heading: String
    }

    /// The cells of a row; none where the line is no row of a table.
    private static func cells(of line: Substring) -> [String] {
        guard line.hasPrefix("|"), line.hasSuffix("|") else { return [] }
        return line.dropFirst().dropLast().split(separator: "|", omittingEmptySubsequences: false)
            .map { $0.trimmingCharacters(in: .whitespaces) }
    }

    private static func text(of path: String) throws -> String {
        try RepositoryFiles.text(of: path)
    }
}
