import SystemSupport
import Testing

/// Tests of the exit codes, which scripts rely on.
@Suite struct ProgramExitTests {
    @Test func valuesDoNotChange() {
        #expect(ProgramExit.allCases.map(\.rawValue) == [0, 1, 64, 65, 66, 69, 74, 75, 76, 77])
        #expect(ProgramExit.tryAgain.rawValue == 75 && ProgramExit.notAuthorised.rawValue == 77)
    }

    @Test func severalCausesHaveTheirOwnStatus() {
        #expect(ProgramExit(combining: [] as [ProgramExit]) == .success)
        #expect(ProgramExit(combining: [ProgramExit.tryAgain, .tryAgain]) == .tryAgain)
        #expect(ProgramExit(combining: [ProgramExit.tryAgain, .usage]) == .failure)
    }

    @Test func helpNamesOnlyWhatAProgramUses() {
        let sentence = ProgramExit.sentence { $0 == .usage ? "wrong usage" : $0 == .tryAgain ? "later" : nil }
        #expect(sentence == "Exit codes: 64 wrong usage; 75 later.")
    }
}
