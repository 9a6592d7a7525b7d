import CommandSupport
import Settings
import Testing

/// Tests of the JSON of `config show` and `config check`.
@Suite struct SettingFieldsTests {
    @Test func settingWithoutAValueHasNone() {
        let row = SettingRow(name: "limit-rate", value: nil, usual: "no limit", source: .usual)
        #expect(
            JSONObject<SettingFields>(row).line
                == "{\"event\":\"setting\",\"setting\":\"limit-rate\",\"source\":\"default\"}")
    }

    @Test func problemOfAWholeFileHasNoSetting() {
        let source = SettingSource.file(path: "/home/gateway.yaml", line: 3)
        let problem = SettingProblem(source: source, reason: "a quote")
        #expect(
            JSONObject<SettingProblemFields>(problem).line
                == "{\"event\":\"problem\",\"source\":\"/home/gateway.yaml:3\",\"message\":\"a quote\"}")
    }
}
