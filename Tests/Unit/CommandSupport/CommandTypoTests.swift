import ArgumentParser
import CommandSupport
import Testing

/// Tests of the suggestions for mistyped commands.
@Suite struct CommandTypoTests {
    private struct Push: ParsableCommand {}
    private struct Resume: ParsableCommand {}

    private static let configuration = CommandConfiguration(
        commandName: "program", subcommands: [Push.self, Resume.self])

    @Test(
        arguments: [
            ("psuh", "push"), ("pus", "push"), ("push-", "push"), ("resmue", "resume"), ("frobnicate", nil),
        ] as [(String, String?)])
    func theNearestCommandIsNamed(word: String, suggestion: String?) {
        let typo = CommandTypo(arguments: [word, "file"], of: Self.configuration)
        #expect(typo?.suggestion == suggestion)
        #expect(typo?.sentence(program: "program").hasPrefix("there is no command \(word)") == true)
    }

    @Test(arguments: [["push", "file"], ["--help"], [], ["help", "push"]])
    func commandIsNotATypo(arguments: [String]) {
        #expect(CommandTypo(arguments: arguments[...], of: Self.configuration) == nil)
    }

    @Test func controlsInTheWordAreVisible() {
        let typo = CommandTypo(arguments: ["x\u{1B}[2J\nforged"], of: Self.configuration)
        #expect(typo?.sentence(program: "program").hasPrefix("there is no command x\\u{1b}[2J\\u{a}forged.") == true)
    }
}
