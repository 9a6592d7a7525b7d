import Testing
import TransferCommon
import WireProtocol

/// A key is a sequence of bytes between slashes, without Unicode normalisation.
@Suite struct ObjectKeyTests {
    @Test(arguments: [
        ("", ObjectKeyError.empty), ("/a", .slashAtEdge), ("a/", .slashAtEdge), ("/", .slashAtEdge),
        ("a//b", .emptySegment), (".", .dotSegment), ("..", .dotSegment), ("a/../b", .dotSegment),
        ("a/./\u{301}", .dotSegment), ("a\0b", .zeroByte), (String(repeating: "é", count: 513), .tooLong(bytes: 1_026)),
    ])
    func refusesWhatNoStoreCanHold(_ text: String, _ error: ObjectKeyError) {
        #expect(throws: error) { try ObjectKey(validating: text) }
        #expect(error.description.hasPrefix("the key "))
    }

    @Test func refusesBytesThatAreNotUTF8() {
        #expect(throws: ObjectKeyError.notUTF8) { try ObjectKey(validating: [0x61, 0xFF]) }
    }

    @Test(arguments: ["\u{301}", "\u{FE0F}", "\u{200D}", "\u{1F3FB}"])
    func splitsAtEverySlash(_ sign: String) throws {
        let key = try ObjectKey(validating: "a/\(sign)b/\(sign)")
        #expect(key.segments.map { Array($0) } == [Array("a".utf8), Array("\(sign)b".utf8), Array(sign.utf8)])
        #expect(key.hasPrefix("a/".utf8) && !key.hasPrefix("b".utf8))
        #expect(key.isIn(folder: "a") && !key.isIn(folder: "a/\(sign)b"))
        #expect(Array(key.text.utf8) == key.bytes)
    }

    @Test func comparesBytes() throws {
        let (composed, decomposed) = (try ObjectKey(validating: "caf\u{E9}"), try ObjectKey(validating: "cafe\u{301}"))
        #expect(composed.text == decomposed.text, "Swift holds the texts equal")
        #expect(composed != decomposed)
        #expect(Set([composed, decomposed]).count == 2)
        #expect(decomposed < composed)
        // In the order of S3, which compares bytes, a full stop comes before a slash.
        let keys = try ["a/b", "a", "a.b", "b", "a/B"].map { try ObjectKey(validating: $0) }
        #expect(keys.sorted().map(\.text) == ["a", "a.b", "a/B", "a/b", "b"])
    }

    @Test func takesTheLongestKey() throws {
        #expect(try ObjectKey(validating: String(repeating: "x", count: 1_024)).bytes.count == 1_024)
    }
}
