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

    /// One JSON object a line. A setting without a value has `null`.
    package static func jsonLines(_ rows: [SettingRow]) -> [String] {
        rows.map { row in
            let value = row.value.map(SettingsFile.quoted) ?? "null"
            let line =
                "{\"setting\":\(SettingsFile.quoted(row.name)),\"value\":\(value),"
                + "\"source\":\(SettingsFile.quoted("\(row.source)"))}"
            return line.withEscapedControls
        }
    }

    /// Longer values do not widen the column.
    private static let valueWidthMax = 60

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(width - text.count, 0))
    }
}
