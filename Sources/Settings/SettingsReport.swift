import TransferCommon

/// The output of `config show`: every setting in force, and where it comes from.
package enum SettingsReport {
    /// Lines in three columns.
    package static func lines(_ rows: [SettingRow]) -> [String] {
        let cells = rows.map { row in
            (row.name, (row.value ?? row.usualWords).withVisibleControls, "\(row.source)")
        }
        let nameWidth = cells.map(\.0.count).max() ?? 0
        let valueWidth = cells.map(\.1.count).filter { $0 <= valueWidthMax }.max() ?? 0
        return cells.map { name, value, source in
            "\(padded(name, nameWidth))  \(padded(value, valueWidth))  \(source)"
        }
    }

    /// Longer values do not widen the column.
    private static let valueWidthMax = 60

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(width - text.count, 0))
    }
}
