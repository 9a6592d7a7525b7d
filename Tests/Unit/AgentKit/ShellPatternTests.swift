import AgentKit
import Glibc
import SeededRandom
import Testing

/// Tests of what the patterns of `--include` and `--exclude` match.
@Suite struct ShellPatternTests {
    private static func matches(_ pattern: String, _ name: [UInt8]) -> Bool {
        FileFilter(included: [pattern]).sendsFile(name)
    }

    private static func matches(_ pattern: String, _ name: String) -> Bool { matches(pattern, Array(name.utf8)) }

    @Test(arguments: [
        ("?.txt", "\u{E9}.txt", true), ("?.txt", "\u{1F600}.txt", true), ("??.txt", "\u{E9}.txt", false),
        // Two spellings of a letter are two names. This one has two scalars.
        ("?.txt", "e\u{301}.txt", false), ("e?.txt", "e\u{301}.txt", true),
        ("[\u{E0}-\u{FC}]*", "\u{E9}t\u{E9}", true), ("[!a]", "\u{E9}", true), ("[[:alpha:]]", "\u{E9}", true),
        ("*\u{6F22}*", "a\u{6F22}b", true), ("\u{E9}", "e\u{301}", false),
    ])
    func matchesCharacters(pattern: String, name: String, isMatch: Bool) {
        #expect(Self.matches(pattern, name) == isMatch)
    }

    @Test(arguments: [
        ("?.txt", [0xFF, 0x2E, 0x74, 0x78, 0x74], true), ("[!a]", [0xFF], true), ("[\u{80}-\u{10FFFF}]", [0xFF], false),
        ("\u{FFFD}", [0xFF], false),
        // The first bytes of a character, an overlong form, a surrogate, and a number beyond Unicode.
        ("??", [0xE2, 0x82], true), ("??", [0xC0, 0x80], true), ("???", [0xED, 0xA0, 0x80], true),
        ("????", [0xF4, 0x90, 0x80, 0x80], true),
    ])
    func invalidByteIsOneCharacter(pattern: String, name: [UInt8], isMatch: Bool) {
        #expect(Self.matches(pattern, name) == isMatch)
    }

    @Test(arguments: [
        ("[]a]", "]", true), ("[!]a]", "]", false), ("[a-]", "-", true), ("[\\]]", "]", true), ("[^a]", "b", true),
        ("[b-a]", "b", false), ("\\*", "*", true), ("\\*", "a", false), ("a\\", "a\\", false), ("[ab", "[ab", true),
        ("[[:digit:]][[:upper:]]", "7X", true), ("[[:digit:]]", "x", false), ("[[:no:]", ":", true), ("", "", true),
        ("**", "", true), (".*", ".git", true), ("*", ".git", true),
    ])
    func readsSetsAndEscapes(pattern: String, name: String, isMatch: Bool) {
        #expect(Self.matches(pattern, name) == isMatch)
    }

    /// On ASCII a pattern means what it means to the C library.
    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func agreesWithTheSystemOnASCII(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        func pick(_ texts: [String]) -> String { texts.randomElement(using: &generator) ?? "" }
        func set() -> String {
            let members = (0..<Int.random(in: 1...3, using: &generator)).map { _ in
                pick(["a", "b", "-", "a-b", "b-a", "!", "^", "*", "?", "\\]", "\\a", "\\\\", "/", "\\a-b", "[", "1"])
            }
            return pick(["[", "[", "[!", "[^"]) + pick(["", "", "]"]) + members.joined() + pick(["", "[:digit:]"]) + "]"
        }
        var differences: [String] = []
        for _ in 0..<20_000 {
            let pattern = (0..<Int.random(in: 0...6, using: &generator)).map { _ in
                pick(["a", "b", "*", "?", ".", "-", "!", "]", "\\a", "\\*", "1", set(), set()])
            }.joined()
            let letters = ["a", "b", "*", "?", ".", "-", "!", "]", "\\", "[", "^", "1", ":"]
            let name = (0..<Int.random(in: 0...6, using: &generator)).map { _ in pick(letters) }.joined()
            // The filter matches a pattern with a slash against the path, and here path and name are the same.
            let isMatch = fnmatch(pattern, name, 0) == 0
            if Self.matches(pattern, name) != isMatch { differences.append("\(pattern) and \(name)") }
        }
        #expect(differences == [])
    }

    /// A matcher that tries every length for every `*` would need longer than the world exists.
    @Test(.timeLimit(.minutes(1)))
    func manyStarsAreQuick() {
        let pattern = String(repeating: "*a", count: 60) + "b"
        #expect(!Self.matches(pattern, String(repeating: "a", count: 4_000)))
    }
}
