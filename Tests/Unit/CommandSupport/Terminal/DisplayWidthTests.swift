import CommandSupport
import SeededRandom
import Testing

/// Tests of how many columns text takes on a terminal.
@Suite struct DisplayWidthTests {
    @Test(arguments: [
        ("", 0), ("0840.mp4", 8), ("\u{E9}", 1), ("\u{2026}", 1), ("\u{2192}", 1), ("\u{AD}", 1),
        // East Asian: ideographs, kana, half-width kana, full-width Latin, Hangul as one scalar and as three.
        ("\u{6F22}\u{5B57}", 4), ("\u{30AB}", 2), ("\u{FF76}", 1), ("\u{FF21}", 2), ("\u{D55C}", 2),
        ("\u{1112}\u{1161}\u{11AB}", 2), ("\u{20000}", 2),
        // Marks combine with the character before them. In the last sample both consonants are shown.
        ("e\u{301}", 1), ("a\u{20DD}", 1), ("a\u{301}\u{323}b", 2), ("\u{915}\u{94D}\u{937}", 2),
        // Without a shape: zero width space, joiner, byte order mark, Hangul filler.
        ("a\u{200B}b", 2), ("a\u{200D}b", 2), ("\u{FEFF}a", 1), ("\u{3164}", 0),
        // Emoji: alone, with a skin colour, joined, a flag, a region, a keycap, with and without selector 16, with 15.
        ("\u{1F600}", 2), ("\u{1F44D}\u{1F3FD}", 2), ("\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}", 2),
        ("\u{1F1E9}\u{1F1EA}", 2), ("\u{1F3F4}\u{E0067}\u{E0062}\u{E007F}", 2), ("1\u{FE0F}\u{20E3}", 2),
        ("\u{2764}\u{FE0F}", 2), ("\u{2764}", 1), ("\u{231A}\u{FE0E}", 2), ("\u{1FAE8}", 2),
    ])
    func columnsOfText(text: String, columns: Int) {
        #expect(DisplayWidth.columns(of: text) == columns)
    }

    @Test func tabLeadsToTheNextStop() {
        #expect(DisplayWidth.columns(of: "\t") == 8)
        #expect(DisplayWidth.columns(of: "abc\tb") == 9)
        #expect(DisplayWidth.columns(of: "\u{6F22}\u{6F22}\u{6F22}\u{6F22}\tb") == 17)
        #expect(DisplayWidth.columns(of: "\t", from: 6) == 2)
    }

    @Test(arguments: [
        (8, "0840.mp4", "0840.mp4", "0840.mp4"), (7, "0840.mp4", "084\u{2026}mp4", "0840.m\u{2026}"),
        (2, "0840.mp4", "\u{2026}4", "0\u{2026}"), (1, "0840.mp4", "\u{2026}", "\u{2026}"), (0, "0840.mp4", "", ""),
        // A wide character that does not fit leaves a column unused.
        (4, "\u{6F22}\u{5B57}\u{6F22}", "\u{2026}\u{6F22}", "\u{6F22}\u{2026}"),
        (5, "\u{6F22}\u{5B57}\u{6F22}", "\u{6F22}\u{2026}\u{6F22}", "\u{6F22}\u{5B57}\u{2026}"),
        (3, "e\u{301}\u{1F44D}\u{1F3FD}xyz", "e\u{301}\u{2026}z", "e\u{301}\u{2026}"),
    ])
    func shortensTheMiddleOrTheEnd(limit: Int, text: String, middle: String, end: String) {
        let (shortened, cut) = (DisplayWidth.shortened(text, to: limit), DisplayWidth.cut(text, to: limit))
        #expect(Array(shortened.utf8) == Array(middle.utf8), "\(shortened)")
        #expect(Array(cut.utf8) == Array(end.utf8), "\(cut)")
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func shorteningKeepsCharactersWholeAndTheWidth(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let samples: [Character] = [
            "a", "/", "e\u{301}", "\u{6F22}", "\u{1F468}\u{200D}\u{1F469}", "\u{1F1E9}\u{1F1EA}", "1\u{FE0F}\u{20E3}",
            "\u{1F44D}\u{1F3FD}", "\u{200B}", "\u{D55C}",
        ]
        for _ in 0..<50 {
            let text = String(
                (0..<Int.random(in: 0...12, using: &generator)).compactMap { _ in
                    samples.randomElement(using: &generator)
                })
            for limit in 0...16 {
                for short in [DisplayWidth.shortened(text, to: limit), DisplayWidth.cut(text, to: limit)] {
                    #expect(DisplayWidth.columns(of: short) <= limit)
                    let parts = short.split(separator: "\u{2026}", omittingEmptySubsequences: false)
                    #expect(parts.count == (short == text ? 1 : 2) || text.isEmpty || short.isEmpty)
                    let (start, end) = (parts.first ?? "", parts.last ?? "")
                    #expect(text.starts(with: start), "\(text): \(short)")
                    #expect(text.reversed().starts(with: end.reversed()), "\(text): \(short)")
                }
            }
        }
    }

    @Test func paddingCountsColumns() {
        #expect(DisplayWidth.padded("\u{6F22}", to: 4) == "\u{6F22}  ")
        #expect(DisplayWidth.padded("\u{6F22}", to: 4, .right) == "  \u{6F22}")
        #expect(DisplayWidth.padded("long", to: 2) == "long")
    }
}
