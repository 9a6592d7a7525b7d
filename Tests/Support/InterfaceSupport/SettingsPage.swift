package import Settings

/// A table of settings for `Documentation/settings.md`. A test compares the page with it.
package struct SettingsPage {
    /// Lines of Markdown.
    package let lines: [String]

    package init<Root>(_ table: SettingsTable<Root>, home: String) {
        let homeRow =
            "| – | `\(SettingVariables.home)` | `--home` | the path of a directory | `\(home)` | The home. |"
        lines =
            [
                "| key | variable | flag | value | default | meaning |",
                "|---|---|---|---|---|---|",
                homeRow,
            ]
            + table.settings.map { setting in
                let variable = setting.variable.map { "`\($0)`" } ?? "–"
                let flag = setting.scope == .everywhere ? "`--\(setting.name)`" : "–"
                return Self.row([
                    "`\(setting.name)`", variable, flag, setting.words, setting.usual, setting.meaning,
                ])
            }
    }

    /// The table of the keys of a map.
    package init<Value>(keysOf map: SettingMap<Value>) {
        lines =
            ["| key | value | default | meaning |", "|---|---|---|---|"]
            + map.settings.map { Self.row(["`\($0.name)`", $0.words, $0.usual, $0.meaning]) }
    }

    private static func row(_ cells: [String]) -> String {
        "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |"
    }

    /// The text of a page with the generated lines between two marks.
    ///
    /// - Parameters:
    ///   - page: the page as it is.
    ///   - name: the name in the marks `<!-- settings of NAME -->` and `<!-- end -->`.
    /// - Returns: `nil` if the page does not have the marks.
    package func inserted(into page: String, name: String) -> String? {
        let begin = "<!-- settings of \(name) -->\n"
        guard let start = page.firstRange(of: begin)?.upperBound,
            let end = page[start...].firstRange(of: "<!-- end -->")?.lowerBound
        else { return nil }
        return page[..<start] + "\n" + lines.joined(separator: "\n") + "\n\n" + page[end...]
    }
}
