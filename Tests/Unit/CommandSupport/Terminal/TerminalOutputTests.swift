import CommandSupport
import Testing

/// Tests of how the programs judge their standard output.
@Suite struct TerminalOutputTests {
    @Test(arguments: [
        (true, "xterm-256color" as String?, OutputKind.terminal), (true, "dumb", .plainTerminal),
        (true, "", .plainTerminal),
        (true, nil, .plainTerminal), (false, "xterm", .file), (false, nil, .file),
    ])
    func onlyCapableTerminalsGetEscapes(isTerminal: Bool, term: String?, kind: OutputKind) {
        #expect(OutputKind(isTerminal: isTerminal, term: term) == kind)
    }

    @Test func unknownSizeCountsAs80By24() {
        #expect(TerminalSize(columns: 0, rows: 0) == .usual)
        #expect(TerminalSize.usual.columns == 80 && TerminalSize.usual.rows == 24)
        #expect(TerminalSize(columns: 0, rows: 50).columns == 80)
        #expect(TerminalSize(columns: 132, rows: 0) == TerminalSize(columns: 132, rows: 24))
    }
}
