import TransferCommon

/// Rows of text: two spaces between the cells in a file, aligned columns on a terminal.
///
/// On a terminal each row takes one line. If the rows do not fit, names are shortened first, then all cells take their
/// next shorter form, and so on. So numbers stay in sight. Notes that do not fit behind their row stand below it.
package struct TextTable {
    /// How the cells of one column are placed, and whether they may be shortened.
    package struct Column: Sendable {
        let alignment: DisplayWidth.Alignment
        let isName: Bool

        /// A column that is as wide as its widest cell.
        package static let left = Column(alignment: .left, isName: false)
        /// The same, with its cells at the right. For numbers.
        package static let right = Column(alignment: .right, isName: false)
        /// A column whose cells may be shortened in the middle.
        package static let name = Column(alignment: .left, isName: true)
    }

    /// One field of a row, in words of several lengths.
    package struct Cell: Sendable {
        /// The text, the longest form first. Control characters are visible. A column whose cells are all empty is left
        /// out.
        let forms: [String]

        /// - Parameter forms: the longest first.
        package init(_ forms: String...) {
            self.forms = forms.isEmpty ? [""] : forms.map(\.withVisibleControls)
        }

        /// The form to use where others would use their form `level`.
        func form(_ level: Int) -> String { forms[min(level, forms.count - 1)] }
    }

    /// What is said of a row after its cells.
    package enum Note: Sendable {
        /// May be shortened in the middle.
        case name(String)
        /// May be broken between words.
        case words(String)

        var text: String {
            switch self {
            case .name(let text), .words(let text): text.withVisibleControls
            }
        }
    }

    /// One entry of the table.
    package struct Row: Sendable {
        let cells: [Cell]
        let notes: [Note]

        package init(_ cells: [Cell], notes: [Note] = []) {
            self.cells = cells
            self.notes = notes
        }

        /// The row for programs that read the output: the longest forms and the notes, with two spaces between them.
        package var plain: String {
            (cells.map { $0.form(0) } + notes.map(\.text)).joined(separator: TextTable.gap)
        }
    }

    private static let gap = "  "
    private static let noteIndent = 3

    private let columns: [Column]
    private let rows: [Row]

    /// - Parameter rows: each has one cell for each column.
    package init(_ columns: [Column], rows: [Row]) {
        self.columns = columns
        self.rows = rows
    }

    /// - Parameter width: columns of the terminal; `nil` if the output is none.
    package func lines(width: Int?) -> [String] {
        guard let width else { return rows.map(\.plain) }
        let lines = cellLines(width: width)
        // Notes begin at the same column, or all of them stand below their rows.
        let noteColumn = lines.map { DisplayWidth.columns(of: $0) }.max() ?? 0
        let beside = zip(lines, rows).map { line, row in
            row.notes.isEmpty
                ? line
                : ([DisplayWidth.padded(line, to: noteColumn)] + row.notes.map(\.text)).joined(separator: Self.gap)
        }
        if beside.allSatisfy({ DisplayWidth.columns(of: $0) <= width }) { return beside }
        return zip(lines, rows).flatMap { [$0] + Self.noteLines($1.notes, width: width) }
    }

    private static func noteLines(_ notes: [Note], width: Int) -> [String] {
        let indent = min(noteIndent, max(width / 10, 1))
        let margin = String(repeating: " ", count: indent)
        let whole = margin + notes.map(\.text).joined(separator: gap)
        guard !notes.isEmpty, DisplayWidth.columns(of: whole) > width else { return notes.isEmpty ? [] : [whole] }
        let room = max(width - indent, 1)
        return notes.flatMap { note in
            switch note {
            case .name: [DisplayWidth.shortened(note.text, to: room)]
            case .words: WrappedText.lines(note.text, width: room)
            }
        }.map { margin + $0 }
    }

    // MARK: Cells

    /// The rows without their notes, each at most `width` columns wide.
    package func cellLines(width: Int) -> [String] {
        let levels = rows.flatMap(\.cells).map(\.forms.count).max() ?? 1
        for level in 0..<levels {
            let isLast = level == levels - 1
            // Where all forms are the shortest, one space between the cells is enough.
            let gap = isLast && levels > 1 ? " " : Self.gap
            let nameMin = isLast ? 3 : level == 0 ? 12 : 8
            if let widths = widths(level, gap: gap.count, nameMin: nameMin, width: width) {
                return lines(level, widths, gap: gap)
            }
        }
        // Not even the shortest forms fit. Leave out the names, and cut what is still too long.
        let widths = naturalWidths(levels - 1).enumerated().map { columns[$0].isName ? 0 : $1 }
        return lines(levels - 1, widths, gap: " ").map { DisplayWidth.cut($0, to: width) }
    }

    private func naturalWidths(_ level: Int) -> [Int] {
        columns.indices.map { column in
            rows.map { DisplayWidth.columns(of: $0.cells[column].form(level)) }.max() ?? 0
        }
    }

    /// The width of each column, with names shortened as far as necessary.
    ///
    /// - Returns: `nil` if the rows would not fit with names of `nameMin` columns.
    private func widths(_ level: Int, gap: Int, nameMin: Int, width: Int) -> [Int]? {
        var widths = naturalWidths(level)
        let gaps = max(widths.count { $0 > 0 } - 1, 0) * gap
        var excess = widths.reduce(gaps, +) - width
        while excess > 0 {
            // Shorten the widest names alike, down to the width of the next narrower one, and so on.
            let names = columns.indices.filter { columns[$0].isName && widths[$0] > nameMin }
            guard let widest = names.map({ widths[$0] }).max() else { return nil }
            let next = names.map { widths[$0] }.filter { $0 < widest }.max() ?? nameMin
            let wide = names.filter { widths[$0] == widest }
            let cut = min(widest - next, (excess + wide.count - 1) / wide.count)
            for column in wide {
                let part = min(cut, excess)
                widths[column] -= part
                excess -= part
            }
        }
        return widths
    }

    private func lines(_ level: Int, _ widths: [Int], gap: String) -> [String] {
        rows.map { row in
            let cells = columns.indices.filter { widths[$0] > 0 }.map { index in
                let text = DisplayWidth.shortened(row.cells[index].form(level), to: widths[index])
                return DisplayWidth.padded(text, to: widths[index], columns[index].alignment)
            }
            var line = cells.joined(separator: gap)[...]
            while line.last == " " { line.removeLast() }
            return String(line)
        }
    }
}
