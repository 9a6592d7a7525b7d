import Foundation
import RepositoryFiles

/// Reads the specification, for tests that compare its tables with the code.
enum SourceText {
    /// A Markdown table of the specification: its header and its rows, cell by cell.
    ///
    /// - Parameters:
    ///   - header: the first cells of the header, which identify the table.
    ///   - heading: the heading of the section that contains the table.
    static func specificationTable(
        _ header: [String], under heading: String
    ) throws -> (header: [String], rows: [[String]]) {
        let lines = try RepositoryFiles.text(of: "Protocol/specification.md")
            .split(separator: "\n", omittingEmptySubsequences: false)
        let section = lines.drop { $0 != heading }.dropFirst().prefix { !$0.hasPrefix("#") }
        let rows = section.map(cells).split { $0.isEmpty }.first { $0.first?.starts(with: header) == true }
        guard let rows, let first = rows.first else { throw MissingTable(header: header, heading: heading) }
        return (first, Array(rows.dropFirst(2)))
    }

    /// The names of the cases of an enum, in the order of the source. The function reads the source, because the enum
    /// may be private.
    ///
    /// - Parameters:
    ///   - name: the enum's name, without the types that contain it.
    ///   - path: the path of the source file from the root of the repository.
    static func cases(of name: String, in path: String) throws -> [String] {
        let lines = try RepositoryFiles.text(of: path).split(separator: "\n")
        guard let start = lines.firstIndex(where: { $0.contains("enum \(name):") }) else { return [] }
        let indent = lines[start].prefix { $0 == " " }
        let body = lines[(start + 1)...].prefix { $0 != indent + "}" }
        return body.compactMap { line in
            let words = line.split(separator: " ")
            guard words.count > 1, words[0] == "case", line.prefix(while: { $0 == " " }).count == indent.count + 4
            else {
                return nil
            }
            return String(words[1].prefix { $0.isLetter })
        }
    }

    /// The specification has no such table.
    struct MissingTable: Error {
        let header: [String]
        let heading: String
    }

    /// The cells of a row; empty if the line is not a table row.
    private static func cells(of line: Substring) -> [String] {
        guard line.hasPrefix("|"), line.hasSuffix("|") else { return [] }
        return line.dropFirst().dropLast().split(separator: "|", omittingEmptySubsequences: false)
            .map { $0.trimmingCharacters(in: .whitespaces) }
    }
}
