import Settings
import Testing

/// Tests of the reader of `agent.json` and `gateway.json`.
@Suite struct JSONReaderTests {
    private func root(_ text: String) throws(SettingsError) -> SettingNode {
        try SettingsFile(path: "/h/agent.json", bytes: Array(text.utf8)).root
    }

    private func scalar(_ text: String) throws -> SettingScalar {
        guard case .map(let entries) = try root("{\"key\": \(text)}").value, let value = entries.first?.value.value,
            case .scalar(let scalar) = value
        else { throw SettingRefusal("no scalar") }
        return scalar
    }

    /// Every escape of RFC 8259, and pairs of surrogates, which YAML does not read.
    @Test(arguments: [
        (#""a\/b""#, "a/b"), (#""\ud83d\ude00""#, "😀"), (#""\"\\\b\f\n\r\t""#, "\"\\\u{8}\u{C}\n\r\t"),
        (#""\u00e9""#, "é"), (#""""#, ""), ("\"é😀\"", "é😀"), (#""\u0000""#, "\0"),
    ])
    func readsEveryEscape(written: String, text: String) throws {
        #expect(try scalar(written).text.utf8.elementsEqual(text.utf8))
        #expect(try scalar(written).kind == .text)
    }

    @Test(
        arguments: [
            ("12", .number), ("-0.5e+3", .number), ("true", .boolean), ("false", .boolean), ("null", .null),
        ] as [(String, SettingScalar.Kind)])
    func tellsTypesApart(written: String, kind: SettingScalar.Kind) throws {
        #expect(try scalar(written).kind == kind)
        #expect(try scalar(written).text == written)
    }

    @Test func countsLines() throws {
        guard case .map(let entries) = try root("{\r\n\t\"a\": 1,\n\n  \"b\": [\n 2]}").value else {
            throw SettingRefusal("no map")
        }
        #expect(entries.map(\.key) == ["a", "b"])
        #expect(entries.map(\.line) == [2, 4])
        guard case .list(let elements) = entries[1].value.value else { throw SettingRefusal("no list") }
        #expect(elements.map(\.line) == [5])
    }

    @Test(arguments: [
        ("", "a value is missing"), ("{", "a key in double quotes is missing"), ("{\"a\" 1}", "a colon"),
        ("{\"a\": }", "a value is missing"), ("{\"a\": 1,}", "a key in double quotes"), ("{'a': 1}", "double quotes"),
        ("{\"a\": 01}", "is no value"), ("{\"a\": 1.}", "is no value"), ("{\"a\": yes}", "is no value"),
        ("{\"a\": [1 2]}", "a comma or a closing bracket"), ("{\"a\": 1 \"b\": 2}", "a comma or a closing brace"),
        ("{} {}", "something follows"), ("{\"a\": \"b", "not closed"), ("{\"a\": \"b\nc\"}", "control character"),
        (#"{"a": "\x"}"#, "a backslash"), (#"{"a": "\u12"}"#, "four hexadecimal digits"),
        (#"{"a": "\ud83d"}"#, "pair of surrogates"), (#"{"a": "\ude00"}"#, "pair of surrogates"),
        (#"{"a": "\ud83d\u0041"}"#, "pair of surrogates"), ("{\"a\": 1 /* no */}", "a comma or a closing brace"),
    ])
    func refusesWhatIsNotJSON(text: String, reason: String) throws {
        let error = #expect(throws: SettingsError.self) { try root(text) }
        let sentence = try #require(error?.lines.first)
        #expect(sentence.contains("/h/agent.json:"))
        #expect(sentence.contains("this is not JSON: "))
        #expect(sentence.contains(reason))
    }

    @Test func refusesTextThatIsNotUTF8() {
        let bytes: [UInt8] = Array("{\"a\": \"".utf8) + [0xFF] + Array("\"}".utf8)
        #expect(throws: SettingsError.self) { try SettingsFile(path: "agent.json", bytes: bytes) }
    }

    @Test func boundsDepthLengthAndCount() {
        let deep = String(repeating: "[", count: 100_000)
        #expect(throws: SettingsError.self) { try root(deep) }
        #expect(throws: SettingsError.self) { try root("[" + String(repeating: "0,", count: 30_000) + "0]") }
        #expect(throws: SettingsError.self) { try root("\"" + String(repeating: "a", count: 1 << 20) + "\"") }
    }
}
