import CommandSupport
import Foundation
import Testing

/// Tests of the JSON that both programs print.
@Suite struct JSONObjectTests {
    private enum Sample: String, JSONFields {
        case key, size
        case isThere = "is_there"

        static let event = "sample"
        static let meaning = "A sample."

        var declaration: JSONField {
            switch self {
            case .key: .always(.string, "a key")
            case .size: .always(.integer, "bytes")
            case .isThere: .only("it is known", .boolean, "whether it is there")
            }
        }
    }

    @Test func fieldsStandInTheirOrder() {
        var object = JSONObject<Sample>([.isThere: .boolean(true), .key: .string("a\"b\\"), .size: nil])
        #expect(object.line == #"{"event":"sample","key":"a\"b\\","is_there":true}"#)
        object[.size] = .count(UInt64.max)
        object[.isThere] = nil
        #expect(object.line == #"{"event":"sample","key":"a\"b\\","size":18446744073709551615}"#)
        #expect(object[.size] == .integer(.max) && object[.isThere] == nil)
    }

    @Test func negativeNumbersBecome0() {
        #expect(JSONValue.count(-1) == .integer(0))
    }

    @Test func textReadsBackAsItWas() throws {
        let text = "\u{1B}[2J\n\t\u{9B}\u{202E}\u{2028}\u{0}\u{7F}\"\\/é e\u{301} \u{1F600}\u{E0001}"
        let line = JSONObject<Sample>([.key: .string(text)]).line
        #expect(line.unicodeScalars.allSatisfy { ![.control, .format].contains($0.properties.generalCategory) })
        #expect(line.contains("\\u001b") && line.contains("\\udb40\\udc01"))
        let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        #expect((object["key"] as? String)?.utf8.elementsEqual(text.utf8) == true)
    }

    @Test(arguments: [
        (0, "1970-01-01T00:00:00Z"), (1_764_590_400_123, "2025-12-01T12:00:00.123Z"), (-1, "1969-12-31T23:59:59.999Z"),
        (951_782_400_000, "2000-02-29T00:00:00Z"), (4_107_542_399_000, "2100-02-28T23:59:59Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00Z"), (Int64.max, "9999-12-31T23:59:59.999Z"),
        (Int64.min, "0000-01-01T00:00:00Z"),
    ])
    func timesAreRFC3339(milliseconds: Int64, text: String) {
        #expect(JSONText.of(.time(milliseconds: milliseconds)) == "\"\(text)\"")
    }

    @Test func datesBecomeMilliseconds() {
        #expect(JSONValue.time(Date(timeIntervalSince1970: 1.5)) == .time(milliseconds: 1_500))
        #expect(JSONValue.time(Date(timeIntervalSince1970: 1e30)) == .time(milliseconds: .max))
    }

    @Test(arguments: [
        (Duration.zero, "0"), (.milliseconds(1_500), "1.5"), (.milliseconds(12), "0.012"), (.seconds(90), "90"),
        (.milliseconds(-250), "-0.25"), (.nanoseconds(999), "0"), (.microseconds(40), "0.00004"),
        (.seconds(86_400 * 365), "31536000"),
    ])
    func durationsAreSeconds(duration: Duration, text: String) {
        #expect(JSONText.of(.seconds(duration)) == text)
    }

    @Test func bytesAreBase64() {
        #expect(JSONText.of(.base64([0xFF, 0x61, 0x0A])) == "\"/2EK\"")
        #expect(JSONText.of(.strings(["a", "\n"])) == #"["a","\u000a"]"#)
    }

    @Test func declarationsListAllFields() {
        let declaration = JSONObjectDeclaration(Sample.self, of: "one", "two")
        #expect(declaration.fields.map(\.name) == ["key", "size", "is_there"])
        #expect(declaration.commands == ["one", "two"] && declaration.event == "sample")
    }

    @Test func kindsKnowTheirValues() {
        #expect(JSONField.Kind.word(["a", "b"]).fits(.string("a")) && !JSONField.Kind.word(["a"]).fits(.string("b")))
        #expect(JSONField.Kind.integer.fits(.integer(1)) && !JSONField.Kind.integer.fits(.seconds(.seconds(1))))
    }
}
