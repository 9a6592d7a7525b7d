import SeededRandom
import Testing
import TransferCommon

@Suite struct KeyRuleTests {
    static let refused: [(key: String, refusal: KeyRule.Refusal)] = [
        ("", .empty), ("/a", .slashAtEdge), ("a/", .slashAtEdge), ("/", .slashAtEdge), ("a//b", .emptySegment),
        (".", .dotSegment), ("..", .dotSegment), ("a/../b", .dotSegment), ("a/.", .dotSegment), ("./a", .dotSegment),
        ("a/%2E%2E/b", .dotSegment), ("%2e", .dotSegment), ("a/.%2E", .dotSegment), ("%2e./a", .dotSegment),
        ("%2Esluice/x", .reserved), ("%2esluice", .reserved), (".%73luice/x", .reserved), ("%2es%6cuice/x", .reserved),
        ("a\\b", .backslash), ("a\u{0}b", .controlCharacter), ("a\u{1F}", .controlCharacter),
        ("\u{7F}", .controlCharacter),
        ("a\nb", .controlCharacter), ("a%2Fb", .encodedSeparator), ("a%2fb", .encodedSeparator),
        ("a%5Cb", .encodedSeparator), ("a%5cb", .encodedSeparator), ("%00", .encodedSeparator),
        ("a%%2F", .encodedSeparator),
        (String(repeating: "x", count: 1_025), .tooLong(bytes: 1_025)),
        (String(repeating: "ä", count: 513), .tooLong(bytes: 1_026)),
    ]

    @Test(arguments: refused)
    func invalidKeyIsRefused(key: String, refusal: KeyRule.Refusal) {
        #expect(throws: refusal) { try KeyRule.wholeKey(prefix: "", key: key) }
    }

    @Test(arguments: [
        "a", "a/b", ".a", "a.", "...", "a/...", "a b", "ä/文件", "a%2", "a%", "%2G", "%50", "%2E%2E%2E", "a%2Eb", "%252E",
        "a:b*?", "sluice", ".sluicer",
        "a/.sluice/b", "~", "a\u{301}", "\u{301}a",
    ])
    func validKeyIsUnchanged(key: String) throws {
        #expect(try Array(KeyRule.wholeKey(prefix: "", key: key).utf8) == Array(key.utf8))
        #expect(try Array(KeyRule.wholeKey(prefix: "p/q/", key: key).utf8) == Array("p/q/\(key)".utf8))
    }

    @Test func reservedKeysAreRefused() {
        for (prefix, key) in [("", ".sluice/sessions/x"), ("", ".sluice"), (".sluice/", "x"), ("", ".sluice/x")] {
            #expect(throws: KeyRule.Refusal.reserved) { try KeyRule.wholeKey(prefix: prefix, key: key) }
        }
    }

    @Test func thePrefixCountsTowardsTheLength() throws {
        let key = String(repeating: "x", count: 1_022)
        #expect(try KeyRule.wholeKey(prefix: "p/", key: key).utf8.count == 1_024)
        #expect(throws: KeyRule.Refusal.tooLong(bytes: 1_025)) { try KeyRule.wholeKey(prefix: "pp/", key: key) }
    }

    @Test(arguments: [
        ("", true), ("a/", true), ("a/b/", true), ("a", false), ("/", false), ("a//", false), ("../", false),
        (".sluice/", false), ("a%2F/", false),
        // The slash forms one grapheme cluster with the sign before it.
        ("\u{600}/", true), ("..\u{600}/", true),
    ])
    func prefixIsEmptyOrAKeyWithASlash(prefix: String, isAllowed: Bool) {
        #expect(KeyRule.isPrefix(prefix) == isAllowed)
    }

    /// Decodes each percent sign with two hexadecimal digits, once: a percent sign that results is not decoded again.
    private static func decodedOnce(_ text: String) -> [UInt8] {
        var decoded: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let first = rest.first {
            let digits = rest.dropFirst().prefix(2)
            let byte =
                first == UInt8(ascii: "%") && digits.count == 2
                ? UInt8(String(decoding: digits, as: UTF8.self), radix: 16) : nil
            decoded.append(byte ?? first)
            rest = rest.dropFirst(byte == nil ? 1 : 3)
        }
        return decoded
    }

    /// No key reaches outside the device's prefix, even if the store resolves dot segments or decodes percent signs
    /// once.
    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func noInputReachesOutsideOfThePrefix(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let pieces = [
            "..", ".", "/", "a", "%2F", "%2f", "%5C", "%2E", "%00", ".%73luice", "\\", "\u{0}", "", "é", "e\u{301}",
            "%", "2F",
            ".sluice",
        ]
        var taken = 0
        for _ in 0..<20_000 {
            let count = Int.random(in: 0...6, using: &generator)
            let key = (0..<count).compactMap { _ in pieces.randomElement(using: &generator) }.joined()
            // An empty prefix allows every key except the gateway's own.
            if let whole = try? KeyRule.wholeKey(prefix: "", key: key) {  // A refusal is safe.
                #expect(!Self.decodedOnce(whole + "/").starts(with: ".sluice/".utf8))
            }
            guard let whole = try? KeyRule.wholeKey(prefix: "dev/", key: key) else { continue }  // A refusal is safe.
            taken += 1
            #expect(whole.utf8.starts(with: "dev/".utf8))
            var depth = 0
            let decoded = Self.decodedOnce(whole)
            for segment in decoded.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
                #expect(!segment.isEmpty)
                depth += segment.elementsEqual("..".utf8) ? -1 : 1
                #expect(depth >= 1)
            }
            #expect(!decoded.contains(0) && !decoded.contains(UInt8(ascii: "\\")))
        }
        #expect(taken > 500)
    }
}
