import AgentKit
import FolderCore
import Settings
import Testing

/// Tests of the rates by the clock.
@Suite struct ScheduleSettingsTests {
    private func read(_ text: String) throws(SettingsError) -> AgentSettings {
        try AgentSettings.table.read(file: SettingsFile(path: "agent.yaml", bytes: Array(text.utf8))).values
    }

    @Test func windowsBecomeASchedule() throws {
        let settings = try read(
            """
            limits:
              rate: 20Mbit/s
              schedule:
                - {days: mon-fri, from: "07:00", to: "19:00", rate: 2Mbit/s}
                - {days: [sat, sun-mon], from: 22:30, to: 06:00, rate: unlimited}
                - {rate: 0}

            """)
        #expect(
            settings.rateSchedule
                == RateSchedule(
                    windows: [
                        RateSchedule.Window(from: 420, to: 1_140, days: [0, 1, 2, 3, 4], rate: 250_000),
                        RateSchedule.Window(from: 1_350, to: 360, days: [0, 5, 6], rate: nil),
                        RateSchedule.Window(from: 0, to: 1_440, rate: 0),
                    ], otherwise: 2_500_000))
    }

    @Test func rateOutsideOfWindowsIsThatOfTheAgent() throws {
        #expect(try read("\n").rateSchedule == RateSchedule())
        #expect(try read("limit-rate: 1MB/s\n").rateSchedule.otherwise == 1_000_000)
        #expect(try read("limit-rate: 1MB/s\nlimits: {rate: 0}\n").rateSchedule.otherwise == 0)
        #expect(try read("limit-rate: 1MB/s\nlimits: {rate: unlimited}\n").rateSchedule.otherwise == .some(nil))
    }

    @Test(arguments: [
        ("mon", "mon"), ("mon-fri", "mon,tue,wed,thu,fri"), ("fri-mon", "mon,fri,sat,sun"), ("wed-wed", "wed"),
        ("\"sat,sun\"", "sat,sun"), ("[tue, thu-sat]", "tue,thu,fri,sat"), ("mon-sun", "mon,tue,wed,thu,fri,sat,sun"),
    ])
    func daysAreNamesAndRanges(text: String, days: String) throws {
        let settings = try read("limits: {schedule: [{days: \(text), rate: 0}]}\n")
        #expect(settings.limits.windows.first?.days.description == days)
    }

    @Test(arguments: [
        ("{}", "limits.schedule[1]: the key rate is missing"),
        ("{rate: 5}", "limits.schedule[1].rate: a number needs a unit, such as 20Mbit/s; only 0 needs none"),
        ("{rate: fast}", "limits.schedule[1].rate: must be a rate"),
        ("{rate: -1}", "limits.schedule[1].rate: must be a rate"),
        ("{rate: 0, days: mo}", "limits.schedule[1].days: must be a day or a range of days"),
        ("{rate: 0, days: mon-}", "limits.schedule[1].days: must be a day or a range of days"),
        ("{rate: 0, days: mon-tue-wed}", "limits.schedule[1].days: must be a day or a range of days"),
        ("{rate: 0, days: []}", "limits.schedule[1].days: has no day"),
        ("{rate: 0, from: \"7:00\"}", "limits.schedule[1].from: must be a time of the day, such as 07:00"),
        ("{rate: 0, from: \"24:00\"}", "limits.schedule[1].from: must be before 24:00"),
        ("{rate: 0, to: \"24:01\"}", "limits.schedule[1].to: must be a time of the day"),
        ("{rate: 0, to: \"12:60\"}", "limits.schedule[1].to: must be a time of the day"),
        ("{rate: 0, til: \"12:00\"}", "\"til\" is not a known key of limits.schedule[1]; did you mean to?"),
    ])
    func impossibleWindowsAreRefused(window: String, sentence: String) {
        let error = #expect(throws: SettingsError.self) { try read("limits: {schedule: [\(window)]}\n") }
        #expect(error?.lines.count == 1)
        #expect(error?.description.hasPrefix("agent.yaml:1: \(sentence)") == true, "\(error?.description ?? "")")
    }
}
