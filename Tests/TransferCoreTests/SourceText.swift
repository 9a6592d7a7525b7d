import Foundation

/// The sources of this package, for tests that compare what they say with what they do.
enum SourceText {
    /// The rows of the transition table in the comment at the top of a file: the first word of the first column and of
    /// the last.
    static func tableRows(of path: String) throws -> [(from: String, to: String)] {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: path), encoding: .utf8)
        let table = text.split(separator: "\n").prefix { $0.hasPrefix("///") || $0.hasPrefix("package import") }
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
}
