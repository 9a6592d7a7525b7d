import CommandSupport
import Settings
import Testing

/// Tests of the JSON of `config show`.
@Suite struct SettingFieldsTests {
    @Test func settingWithoutAValueHasNone() {
        let row = SettingRow(name: "limit-rate", value: nil, usual: "no limit", source: .usual)
        #expect(
            JSONObject<SettingFields>(row).line
                == "{\"event\":\"setting\",\"setting\":\"limit-rate\",\"source\":\"default\"}")
    }
}
