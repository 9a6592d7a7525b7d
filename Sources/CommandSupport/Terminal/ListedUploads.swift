/// The unfinished uploads as `uploads list` shows them.
package struct ListedUploads: Sendable {
    private var table: TablePrinter

    /// - Parameter width: columns of the terminal; `nil` if the output is none.
    package init(width: Int?) {
        table = TablePrinter([.name, .right, .right, .right, .name, .name], width: width)
    }

    /// - Parameters:
    ///   - cells: session, age, number of parts, bytes stored, device, key, and a remark that may be empty.
    ///   - print: called with one line at a time.
    package mutating func add(_ cells: [String], _ print: (String) -> Void) {
        let remark = cells.count > 6 ? cells[6] : ""
        table.add(.init(cells.prefix(6).map { .init($0) }, notes: remark.isEmpty ? [] : [.words(remark)]), print)
    }

    /// Prints the rows that were held back.
    package mutating func finish(_ print: (String) -> Void) { table.finish(print) }
}
