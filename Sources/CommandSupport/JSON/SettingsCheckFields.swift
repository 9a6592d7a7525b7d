package import Settings

/// A problem of the settings. `config check` prints it.
package enum SettingProblemFields: String, JSONFields {
    case source, setting, message

    package static let event = "problem"
    package static let meaning = "A problem of the settings. Standard error names it, too."

    package var declaration: JSONField {
        switch self {
        case .source: .always(.string, "the variable, or the file with the line")
        case .setting: .only("one setting is the problem", .string, "the key of the setting")
        case .message: .always(.string, "what is wrong, for people")
        }
    }
}

/// The last line of `config check`.
package enum SettingsCheckFields: String, JSONFields {
    case file, problems

    package static let event = "summary"
    package static let meaning = "The result. This is the last line."

    package var declaration: JSONField {
        switch self {
        case .file: .only("the home has one", .string, "the settings file")
        case .problems:
            .always(.integer, "problems; at most \(SettingProblems.reportedMax) of them have a line of their own")
        }
    }
}

extension JSONObject<SettingProblemFields> {
    package init(_ problem: SettingProblem) {
        self.init([
            .source: .string("\(problem.source)"),
            .setting: problem.setting.isEmpty ? nil : .string(problem.setting), .message: .string(problem.reason),
        ])
    }
}

extension JSONObject<SettingsCheckFields> {
    /// - Parameter file: the path of the settings file; `nil` if there is none.
    package init(file: String?, problems: Int) {
        self.init([.file: file.map { .string($0) }, .problems: .count(problems)])
    }
}
