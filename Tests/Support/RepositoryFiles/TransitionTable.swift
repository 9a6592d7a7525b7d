/// The transition table in the comment at the top of a state machine's source.
package enum TransitionTable {
    /// One row: the state before the event and the state after it.
    package struct Row: Hashable, Sendable {
        package let from: String
        package let to: String

        package init(from: String, to: String) {
            self.from = from
            self.to = to
        }
    }

    /// The rows of the first table in the file's first comment. A row is the first word in the column *from* and the
    /// first word in the column *to*; the column *event* is ignored.
    ///
    /// The table is indented by four spaces, and two spaces or more separate its columns. Only imports may stand before
    /// that comment.
    ///
    /// - Parameter path: the path of the source file from the root of the repository.
    package static func rows(of path: String) throws -> [Row] {
        let comment = try RepositoryFiles.text(of: path).split(separator: "\n")
            .drop { !$0.hasPrefix("///") }.prefix { $0.hasPrefix("///") }
        let table = comment.filter { $0.hasPrefix("///     ") }.map { $0.dropFirst(8) }
        return table.dropFirst().compactMap { line in
            let columns = line.split(separator: "  ").map { $0.drop { $0 == " " } }.filter { !$0.isEmpty }
            guard columns.count == 3, let from = columns[0].split(separator: " ").first,
                let to = columns[2].split(whereSeparator: { ", ".contains($0) }).first
            else { return nil }
            return Row(from: String(from), to: String(to))
        }
    }
}
