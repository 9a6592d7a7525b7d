import TransferCommon

/// All settings of a program. It reads them from flags, environment variables and the home's file, in this order of
/// precedence, and it knows what the settings are without any of them.
package struct SettingsTable<Root: Sendable>: Sendable {
    /// The program, for messages.
    package let program: String
    package let settings: [Setting<Root>]
    package let rules: [SettingRule<Root>]
    private let initial: Root

    package init(program: String, initial: Root, settings: [Setting<Root>], rules: [SettingRule<Root>] = []) {
        self.program = program
        self.initial = initial
        self.settings = settings
        self.rules = rules
    }

    /// Finds a setting by its key.
    package func setting(_ name: String) -> Setting<Root>? { settings.first { $0.name == name } }

    /// Reads all settings. Every source is read whole, also where another one takes precedence: a mistake in a file
    /// should not wait for the day on which a flag is left out.
    ///
    /// - Parameters:
    ///   - file: the home's file; `nil` if there is none.
    ///   - variables: the environment of the process.
    ///   - flags: the text of each flag that was given, by the name of its setting.
    /// - Throws: all problems of all sources.
    package func read(
        file: SettingsFile?, variables: [String: String] = [:], flags: [String: String] = [:]
    ) throws(SettingsError) -> SettingsInForce<Root> {
        let problems = SettingProblems()
        var result = SettingsInForce(table: self, values: initial)
        if let file { read(file, into: &result, problems) }
        for setting in settings {
            guard let variable = setting.variable, let text = variables[variable], !text.isEmpty else { continue }
            take(text, from: .variable(variable), setting, into: &result, problems)
        }
        for setting in settings {
            guard let text = flags[setting.name] else { continue }
            take(text, from: .flag(setting.name), setting, into: &result, problems)
        }
        try problems.check()
        for rule in rules {
            guard let reason = rule.check(result.values) else { continue }
            problems.add(SettingProblem(source: result.source(of: rule.name), setting: rule.name, reason: reason))
        }
        try problems.check()
        return result
    }

    private func read(_ file: SettingsFile, into result: inout SettingsInForce<Root>, _ problems: SettingProblems) {
        let cursor = SettingsCursor(root: file.root, path: file.path, problems: problems)
        guard let fields = cursor.fields(known: settings.map(\.name)) else { return }
        for setting in settings {
            guard let field = fields[setting.name], setting.read(field, &result.values) else { continue }
            result.sources[setting.name] = field.source
            if !setting.parts(result.values).isEmpty {
                result.sources.merge(field.sourcesInside) { _, inside in inside }
            }
        }
    }

    private func take(
        _ text: String, from source: SettingSource, _ setting: Setting<Root>, into result: inout SettingsInForce<Root>,
        _ problems: SettingProblems
    ) {
        if let refusal = setting.parse(text, &result.values) {
            problems.add(SettingProblem(source: source, setting: setting.name, reason: refusal.reason))
        } else {
            result.sources[setting.name] = source
        }
    }

    /// A sentence for each variable that begins with `SLUICE_` and has no effect.
    package func warnings(about variables: [String: String]) -> [String] {
        let known = settings.compactMap(\.variable) + [SettingVariables.home]
        let unknown = variables.filter { name, value in
            name.utf8.starts(with: SettingVariables.prefix.utf8) && !value.isEmpty && !known.contains(name)
        }
        return unknown.keys.sorted().map { name in
            if let setting = settings.first(where: { SettingVariables.name(of: $0.name) == name }) {
                return "the variable \(name) has no effect on \(program): \(setting.name) is read from the file alone"
            }
            let near = NearestName.of(name, among: known).map { "; did you mean \($0)?" } ?? ""
            return "the variable \(name.withVisibleControls) has no effect on \(program)\(near)"
        }
    }
}

/// The settings that are in force, and where each of them comes from.
package struct SettingsInForce<Root: Sendable>: Sendable {
    private let table: SettingsTable<Root>
    package fileprivate(set) var values: Root
    fileprivate var sources: [String: SettingSource] = [:]

    fileprivate init(table: SettingsTable<Root>, values: Root) {
        self.table = table
        self.values = values
    }

    /// Where the value of a setting comes from.
    package func source(of name: String) -> SettingSource { sources[name] ?? .usual }

    /// Every setting with its value and its source, in the order of the table. A map has a row for each of its keys.
    package var rows: [SettingRow] {
        table.settings.flatMap { setting in
            let parts = setting.parts(values)
            guard parts.isEmpty else {
                return parts.map { part in
                    let name = setting.name + part.place
                    return SettingRow(name: name, value: part.text, usual: part.usual, source: source(of: name))
                }
            }
            return [
                SettingRow(
                    name: setting.name, value: setting.text(values), usual: setting.usual,
                    source: source(of: setting.name))
            ]
        }
    }
}

/// One line of `config show`.
package struct SettingRow: Equatable, Sendable {
    package let name: String
    /// `nil` if the setting has no value.
    package let value: String?
    /// What holds without a value, in words.
    package let usual: String
    package let source: SettingSource

    /// The words without the marks of Markdown.
    package var usualWords: String { usual.filter { $0 != "`" } }

    package init(name: String, value: String?, usual: String = "none", source: SettingSource) {
        self.name = name
        self.value = value
        self.usual = usual
        self.source = source
    }
}
