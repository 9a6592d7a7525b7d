import CommandSupport
import Settings
import Testing

/// Tests of the lines of `config show` on terminals of several widths.
@Suite struct ConfigCommandTests {
    private static let rows = [
        SettingRow(name: "home", value: "/home/x/.sluice", source: .usual),
        SettingRow(name: "prefix", value: "a long prefix of many words", source: .variable("SLUICE_PREFIX")),
    ]

    @Test func wideTerminalsAndFilesGetColumns() {
        let columns = [
            "home    /home/x/.sluice              default", "prefix  a long prefix of many words  SLUICE_PREFIX",
        ]
        #expect(ConfigCommand.lines(Self.rows, width: nil) == columns)
        #expect(ConfigCommand.lines(Self.rows, width: 80) == columns)
    }

    @Test(arguments: [20, 30, 40])
    func narrowTerminalsLoseNothing(width: Int) {
        let lines = ConfigCommand.lines(Self.rows, width: width)
        #expect(lines.allSatisfy { DisplayWidth.columns(of: $0) <= width }, "\(lines)")
        let words = lines.joined(separator: " ").split(separator: " ").joined(separator: " ")
        #expect(words == "home /home/x/.sluice default prefix a long prefix of many words SLUICE_PREFIX")
    }
}
