import Settings
import Testing

/// Settings of a program that exists only in these tests.
private struct Sample: Equatable, Sendable {
    var rate: ByteRate?
    var count = 4
    var isOn = false
    var name = ""
    var mode = "auto"
    var names: [String] = []
    var span = TimeSpan(.seconds(300))
    var pin: String?

    static let table = SettingsTable(
        program: "sample", initial: Sample(),
        settings: [
            Setting("limit-rate", \.rate, .rate, initial: Sample(), usual: "no limit", "A rate."),
            Setting("count", \.count, .count(1...16), initial: Sample(), "A count."),
            Setting("on", \.isOn, .truth, initial: Sample(), "On."),
            Setting("name", \.name, .text, initial: Sample(), "A name."),
            Setting("mode", \.mode, .word([("auto", "auto"), ("never", "never")]), initial: Sample(), "A mode."),
            Setting(
                "names", \.names, .list(of: .path, words: "names", countMax: 3), initial: Sample(), "Names."),
            Setting("span", \.span, .time(.zero...(.seconds(3_600)), words: "a time"), initial: Sample(), "A time."),
            Setting("pin", \.pin, .text, scope: .fileOnly, initial: Sample(), "A pin."),
        ],
        rules: [SettingRule("on") { $0.isOn && $0.count > 8 ? "does not go with so many" : nil }])
}

/// Tests of reading the settings of a program from file, variables and flags.
@Suite struct SettingsTableTests {
    private func read(
        _ text: String? = nil, _ variables: [String: String] = [:], _ flags: [String: String] = [:],
        path: String = "/h/a.yaml"
    ) throws(SettingsError) -> SettingsInForce<Sample> {
        var file: SettingsFile?
        if let text { file = try SettingsFile(path: path, bytes: Array(text.utf8)) }
        return try Sample.table.read(file: file, variables: variables, flags: flags)
    }

    private func problems(
        _ text: String? = nil, _ variables: [String: String] = [:], _ flags: [String: String] = [:],
        path: String = "/h/a.yaml"
    ) -> [String] {
        do throws(SettingsError) {
            _ = try read(text, variables, flags, path: path)
            return []
        } catch {
            return error.lines
        }
    }

    @Test func flagBeatsVariableBeatsFileBeatsDefault() throws {
        #expect(try read().values.count == 4)
        #expect(try read().source(of: "count") == .usual)
        #expect(try read("count: 5").values.count == 5)
        #expect(
            try read("x: 1\ncount: 5".replacing("x: 1\n", with: "\n")).source(of: "count").description == "/h/a.yaml:2")
        let variable = try read("count: 5", ["SLUICE_COUNT": "6"])
        #expect(variable.values.count == 6)
        #expect(variable.source(of: "count") == .variable("SLUICE_COUNT"))
        let flag = try read("count: 5", ["SLUICE_COUNT": "6"], ["count": "7"])
        #expect(flag.values.count == 7)
        #expect(flag.source(of: "count") == .flag("count"))
    }

    /// The search for a similar key takes long, so it ends with the problems that are shown.
    @Test func keysAreSuggestedOnlyForProblemsThatAreShown() {
        let entries = (1...20_000).map { line in
            SettingEntry(key: "key\(line)", line: line, value: SettingNode(.map([]), line: line))
        }
        let problems = SettingProblems()
        var suggestions = 0
        let root = SettingsCursor(root: SettingNode(.map(entries), line: 1), path: "/h/a.yaml", problems: problems)
        _ = root.fields(known: ["count"]) { _, _ in
            suggestions += 1
            return nil
        }
        #expect(suggestions == SettingProblems.reportedMax)
        let error = #expect(throws: SettingsError.self) { try problems.check() }
        #expect(error?.problems.count == SettingProblems.reportedMax)
    }

    /// An empty variable is the usual way to unset one in a service file.
    @Test func emptyVariableCountsAsUnset() throws {
        #expect(try read("name: a", ["SLUICE_NAME": ""]).values.name == "a")
        #expect(try read("name: a", [:], ["name": ""]).values.name == "")
    }

    @Test func jsonOfToday() throws {
        let text = "{\"limit-rate\": \"20MB/s\", \"count\": \"5\", \"on\": \"true\", \"names\": \"a,b\"}"
        let values = try read(text, path: "/h/a.json").values
        #expect(values.rate?.bytesPerSecond == 20_000_000)
        #expect(values.count == 5)
        #expect(values.isOn)
        #expect(values.names == ["a", "b"])
        #expect(try read("{\"count\": 5, \"on\": true, \"names\": [\"a\"]}", path: "/h/a.json").values.names == ["a"])
    }

    @Test(arguments: [
        ("limit-rate: 20", "/h/a.yaml:1: limit-rate: a number needs a unit, such as 20MB/s"),
        ("limit-rate: \"20\"", "/h/a.yaml:1: limit-rate: a number needs a unit, such as 20MB/s"),
        ("\nlimit-rate: 20mb/s", "/h/a.yaml:2: limit-rate: must be a rate"), ("count: 17", "must be from 1 to 16, not"),
        ("count: 0", "/h/a.yaml:1: count: must be from 1 to 16, not \"0\""), ("count: many", "must be a whole number"),
        ("count: 99999999999999999999", "must be from 1 to 16, not"), ("count: [1]", "must be 1 to 16, not a list"),
        ("count:", "has no value"), ("on: yes", "must be true or false"), ("on: 1", "must be true or false"),
        ("name: 12", "must be text, not \"12\"; quotes make text of it"), ("name: true", "quotes make text of it"),
        ("name: {a: 1}", "must be text, not a map"), ("mode: nver", "did you mean never?"),
        ("names: [a, b, c, d]", "at most 3"), ("names: [a, 5]", "names[2]: must be the path"),
        ("span: 2h", "must be a time"),
        ("limit-rat: 20MB/s", "\"limit-rat\" is not a known key; did you mean limit-rate?"),
        ("zzzzzzzz: 1", "\"zzzzzzzz\" is not a known key"),
        ("count: 5\ncount: 6", "/h/a.yaml:2: count: is given twice"),
        ("- a", "/h/a.yaml:1: the file is not a map"), ("on: true\ncount: 9", "/h/a.yaml:1: on: does not go with"),
    ])
    func refusesMistakesWithTheirLine(text: String, sentence: String) {
        let problems = problems(text)
        #expect(problems.count == 1, "\(problems)")
        #expect(problems.first?.contains(sentence) == true, "\(problems)")
    }

    @Test func variablesAndFlagsAreRefusedAlike() {
        #expect(
            problems(nil, ["SLUICE_LIMIT_RATE": "20"]) == ["SLUICE_LIMIT_RATE: a number needs a unit, such as 20MB/s"])
        #expect(problems(nil, [:], ["count": "99"]) == ["--count: must be from 1 to 16, not \"99\""])
        #expect(problems(nil, [:], ["count": ""]) == ["--count: must be a whole number from 1 to 16, not \"\""])
    }

    @Test func reportsAllProblemsAtOnce() {
        let lines = problems("count: 0\non: 2\nnaem: x", ["SLUICE_SPAN": "5"], ["mode": "x"])
        #expect(lines.count == 5)
        let many = problems((0..<30).map { "key-\($0): 1" }.joined(separator: "\n"))
        #expect(many.count == 21)
        #expect(many.last == "10 more problems are not shown")
    }

    @Test func controlsInValuesAreVisible() {
        #expect(problems("\"a\\e[2J\": 1").first?.contains("\"a\\u{1b}[2J\" is not a known key") == true)
        #expect(problems(nil, [:], ["mode": "\u{1B}"]).first?.contains("\\u{1b}") == true)
    }

    /// Only the owner of the home can change the file, and so whom the program trusts.
    @Test func settingOfTheFileAloneHasNoVariable() throws {
        let result = try read("pin: a", ["SLUICE_PIN": "b"])
        #expect(result.values.pin == "a")
        #expect(
            Sample.table.warnings(about: ["SLUICE_PIN": "b"]) == [
                "the variable SLUICE_PIN has no effect on sample: pin is read from the file alone"
            ])
    }

    @Test func warnsAboutVariablesWithoutEffect() throws {
        let variables = [
            "SLUICE_LIMITRATE": "1MB/s", "SLUICE_HOME": "/h", "SLUICE_ZZZZZZZZ": "1", "SLUICE_COUNTT": "", "X": "1",
        ]
        #expect(
            Sample.table.warnings(about: variables) == [
                "the variable SLUICE_LIMITRATE has no effect on sample; did you mean SLUICE_LIMIT_RATE?",
                "the variable SLUICE_ZZZZZZZZ has no effect on sample",
            ])
    }

    @Test func rowsShowValueAndSource() throws {
        let rows = try read("limit-rate: 20MB/s", ["SLUICE_COUNT": "6"]).rows
        let lines = SettingsReport.lines(Array(rows.prefix(3)))
        #expect(
            lines == [
                "limit-rate  20MB/s  /h/a.yaml:1", "count       6       SLUICE_COUNT", "on          false   default",
            ])
    }
}
