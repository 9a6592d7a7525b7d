/// Prints a table whose rows become known one after the other. In a file each row is a line at once. On a terminal rows
/// are held back until there are enough to align them, so a long list does not have to be held as a whole.
package struct TablePrinter: Sendable {
    private static let blockRows = 200

    private let columns: [TextTable.Column]
    private let width: Int?
    private var waiting: [TextTable.Row] = []

    /// - Parameter width: columns of the terminal; `nil` if the output is none.
    package init(_ columns: [TextTable.Column], width: Int?) {
        self.columns = columns
        self.width = width
    }

    /// - Parameter print: called with one line at a time.
    package mutating func add(_ row: TextTable.Row, _ print: (String) -> Void) {
        guard width != nil else { return print(row.plain) }
        waiting.append(row)
        if waiting.count >= Self.blockRows { finish(print) }
    }

    /// Prints the rows that were held back. Call it at the end of the list, and before other lines.
    package mutating func finish(_ print: (String) -> Void) {
        for line in TextTable(columns, rows: waiting).lines(width: width) { print(line) }
        waiting = []
    }
}
