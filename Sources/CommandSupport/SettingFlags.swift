package import ArgumentParser
package import Settings
import SystemSupport

extension SettingsTable {
    /// The help of a setting's flag. It says what the table says: meaning, values and default.
    package func help(_ name: String) -> ArgumentHelp {
        guard let setting = setting(name) else { return ArgumentHelp("") }
        let values = setting.isSwitch ? "Default" : "Value: \(setting.words); default"
        let text = "\(setting.meaning) \(values): \(setting.usual)."
        return ArgumentHelp(stringLiteral: text.filter { $0 != "`" })
    }

    /// Reads the settings for a command, and tells the user about variables without effect.
    ///
    /// - Parameters:
    ///   - fileName: the name of the home's file without its end.
    ///   - flags: the text of each flag that is a setting; `nil` for a flag that was not given.
    package func read(
        home: String, fileName: String, environment: [String: String], flags: [String: String?] = [:]
    ) throws(SettingsError) -> SettingsInForce<Root> {
        for warning in warnings(about: environment) { Output.advise("\(program): \(warning)") }
        let file = try SettingsFile.inHome(home, name: fileName)
        return try read(file: file, variables: environment, flags: flags.compactMapValues { $0 })
    }
}

extension Bool? {
    /// The flag as the text of its setting.
    package var flagText: String? { map { "\($0)" } }
}

/// What `config check` and `config show` do for both programs. Both only read.
package enum ConfigCommand {
    /// Prints which file was checked. Throws all problems, or that the named home does not exist.
    ///
    /// - Parameters:
    ///   - json: whether to print each problem, and the result, as a JSON object.
    ///   - inspect: returns the problems of what the settings name, such as a missing file.
    package static func check<Root>(
        _ table: SettingsTable<Root>, home: ProgramHome, fileName: String, environment: [String: String],
        json: Bool = false, inspect: (SettingsInForce<Root>) -> [SettingProblem] = { _ in [] }
    ) throws {
        try home.checkNamed()
        // The path that would be read if only one of the two possible files existed.
        let path = SettingsFile.usedPath(inHome: home.path, name: fileName)
        let file = AtomicFile.exists(path) ? path : nil
        do throws(SettingsError) {
            let settings = try table.read(home: home.path, fileName: fileName, environment: environment)
            let problems = SettingProblems()
            for problem in inspect(settings) { problems.add(problem) }
            try problems.check()
        } catch {
            if json {
                for problem in error.problems { Output.results.object(JSONObject(problem)) }
                Output.results.object(JSONObject(file: file, problems: error.count))
            }
            throw error
        }
        guard !json else { return Output.results.object(JSONObject(file: file, problems: 0)) }
        guard file != nil else { return Output.results.line("there is no \(path); the defaults hold") }
        let isEmpty = try SettingsFile.inHome(home.path, name: fileName)?.isEmpty ?? false
        let result = isEmpty ? "it has no setting; the defaults hold" : "every setting can be used"
        Output.results.line("\(path): \(result)")
    }

    /// Prints every setting in force, and where it comes from.
    package static func show<Root>(
        _ table: SettingsTable<Root>, home: ProgramHome, fileName: String, environment: [String: String], json: Bool
    ) throws {
        try home.checkNamed()
        let rows = [home.row] + (try table.read(home: home.path, fileName: fileName, environment: environment)).rows
        if json {
            for row in rows { Output.results.object(JSONObject(row)) }
        } else {
            for line in lines(rows, width: TerminalOutput.tableWidth) { Output.results.line(line) }
        }
    }

    /// The lines of `config show`. If a line would not fit the terminal, value and source of each setting stand behind
    /// or below its name, and nothing is left out.
    ///
    /// - Parameter width: columns of the terminal; `nil` if the output is none.
    package static func lines(_ rows: [SettingRow], width: Int?) -> [String] {
        let lines = SettingsReport.lines(rows)
        guard let width, lines.contains(where: { DisplayWidth.columns(of: $0) > width }) else { return lines }
        let table = TextTable(
            [.left],
            rows: rows.map { row in
                TextTable.Row(
                    [.init(row.name)], notes: [.words(row.value ?? row.usualWords), .words("\(row.source)")])
            })
        return table.lines(width: width)
    }
}
