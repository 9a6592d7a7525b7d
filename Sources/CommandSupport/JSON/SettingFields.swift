package import Settings

/// A setting in force. `config show` of both programs prints it.
package enum SettingFields: String, JSONFields {
    case setting, value, source

    package static let event = "setting"
    package static let meaning = "A setting in force."

    package var declaration: JSONField {
        switch self {
        case .setting: .always(.string, "the key of the setting")
        case .value: .only("the setting has a value", .string, "the value, as the file or the variable would have it")
        case .source: .always(.string, "the variable, the file with the line, or `default`")
        }
    }
}

extension JSONObject<SettingFields> {
    /// - Parameter row: a row of `config show`.
    package init(_ row: SettingRow) {
        self.init([
            .setting: .string(row.name), .value: row.value.map { .string($0) }, .source: .string("\(row.source)"),
        ])
    }
}
