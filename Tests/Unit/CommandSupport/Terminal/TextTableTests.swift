import CommandSupport
import Testing

/// Tests of tables and sentences on terminals of several widths.
@Suite struct TextTableTests {
    private static let columns: [TextTable.Column] = [.right, .name, .left, .left]
    private static let rows: [TextTable.Row] = [
        TextTable.Row(
            [.init("1"), .init("0840.mp4"), .init("48.0 MiB of 96.0 MiB", "48/96MiB"), .init("10 s old", "")],
            notes: [.name("/data/0840.mp4"), .words("(stopped: interrupted)")]),
        TextTable.Row(
            [
                .init("12"), .init("\u{65E5}\u{672C}\u{8A9E}/a-long-name-\u{65E5}\u{672C}.mp4"),
                .init("0 B of 64.0 MiB", "0/64MiB"), .init("2 h old", ""),
            ], notes: [.name("/data/0910.mp4"), .words("(waits for push or resume)")]),
    ]

    private func lines(_ width: Int?) -> [String] { TextTable(Self.columns, rows: Self.rows).lines(width: width) }

    /// Scripts split at two spaces.
    @Test func fileHasTwoSpacesBetweenCells() {
        #expect(
            lines(nil) == [
                "1  0840.mp4  48.0 MiB of 96.0 MiB  10 s old  /data/0840.mp4  (stopped: interrupted)",
                "12  \u{65E5}\u{672C}\u{8A9E}/a-long-name-\u{65E5}\u{672C}.mp4  0 B of 64.0 MiB  2 h old  "
                    + "/data/0910.mp4  (waits for push or resume)",
            ])
    }

    @Test func wideTerminalAlignsEverything() {
        #expect(
            lines(120) == [
                " 1  0840.mp4                     48.0 MiB of 96.0 MiB  10 s old  "
                    + "/data/0840.mp4  (stopped: interrupted)",
                "12  \u{65E5}\u{672C}\u{8A9E}/a-long-name-\u{65E5}\u{672C}.mp4  0 B of 64.0 MiB       2 h old   "
                    + "/data/0910.mp4  (waits for push or resume)",
            ])
    }

    @Test func notesGoBelowAndNamesGetShorter() {
        #expect(
            lines(60) == [
                " 1  0840.mp4                  48.0 MiB of 96.0 MiB  10 s old",
                "   /data/0840.mp4  (stopped: interrupted)",
                "12  \u{65E5}\u{672C}\u{8A9E}/a-lo\u{2026}ame-\u{65E5}\u{672C}.mp4  0 B of 64.0 MiB       2 h old",
                "   /data/0910.mp4  (waits for push or resume)",
            ])
    }

    @Test func narrowTerminalKeepsTheNumbers() {
        #expect(
            lines(20) == [
                " 1 0840.mp4 48/96MiB", "  /data/0840.mp4", "  (stopped:", "  interrupted)",
                "12 \u{65E5}\u{2026}.mp4  0/64MiB", "  /data/0910.mp4", "  (waits for push or", "  resume)",
            ])
    }

    @Test(arguments: 1...130)
    func noRowIsWiderThanTheTerminal(width: Int) {
        let table = TextTable(Self.columns, rows: Self.rows)
        #expect(table.cellLines(width: width).allSatisfy { DisplayWidth.columns(of: $0) <= width })
    }

    @Test func longNamesAreShortenedAlike() {
        let table = TextTable(
            [.name, .name, .right],
            rows: [.init([.init("0123456789012345"), .init("01234567890123456789"), .init("1 B")])])
        #expect(table.lines(width: 38) == ["0123456\u{2026}9012345  0123456\u{2026}23456789  1 B"])
        #expect(table.lines(width: 27) == ["0123\u{2026}12345  0123\u{2026}56789  1 B"])
    }

    @Test func emptyColumnsAreLeftOut() {
        let table = TextTable([.left, .left, .left], rows: [.init([.init("a"), .init(""), .init("b")])])
        #expect(table.lines(width: 80) == ["a  b"])
        #expect(TextTable(Self.columns, rows: []).lines(width: 80) == [])
    }

    @Test func controlsAreVisible() {
        let table = TextTable([.name], rows: [.init([.init("a\u{1B}[2J")], notes: [.words("b\n")])])
        for width in [nil, 80] { #expect(table.lines(width: width) == ["a\\u{1b}[2J  b\\u{a}"]) }
    }

    @Test func printerAlignsRowsInBlocks() {
        var printed: [String] = []
        var printer = TablePrinter([.left, .left], width: 80)
        printer.add(.init([.init("a"), .init("1")])) { printed.append($0) }
        #expect(printed == [])
        printer.add(.init([.init("bcd"), .init("2")])) { printed.append($0) }
        printer.finish { printed.append($0) }
        #expect(printed == ["a    1", "bcd  2"])
        for number in 0..<200 { printer.add(.init([.init("\(number)"), .init("x")])) { printed.append($0) } }
        #expect(printed.count == 202)
        var plain = TablePrinter([.left, .left], width: nil)
        plain.add(.init([.init("a"), .init("1")])) { printed.append($0) }
        #expect(printed.last == "a  1")
    }

    // MARK: Sentences

    @Test func linesBreakAtSpaces() {
        let text = "sending   with BBR if the gateway is far away, and more words that need a line"
        #expect(
            WrappedText.lines(text, width: 60, indent: 10) == [
                "sending   with BBR if the gateway is far away, and more", "          words that need a line",
            ])
        #expect(WrappedText.lines("a short line", width: 80, indent: 10) == ["a short line"])
        #expect(WrappedText.lines("one two three", width: 7) == ["one two", "three"])
    }

    /// A user can copy a fingerprint in one piece.
    @Test func longWordStaysWhole() {
        let word = String(repeating: "f", count: 71)
        #expect(WrappedText.lines("device    \(word)", width: 80, indent: 10) == ["device", "  \(word)"])
        #expect(WrappedText.lines("device    \(word) x", width: 40, indent: 10) == ["device", "  \(word)", "  x"])
        #expect(WrappedText.lines(word, width: 40) == [word])
    }
}
