import GatewayKit
import Testing

/// Tests of values in the log that peers and devices have chosen.
@Suite struct LogValueTests {
    @Test(arguments: [
        ("cam-1", "cam-1"), ("site/clips/0840.mp4", "site/clips/0840.mp4"), ("", "\"\""),
        ("x address=198.51.100.9", "\"x address=198.51.100.9\""), ("a=b", "\"a=b\""),
        ("say \"x\"", "\"say \\\"x\\\"\""),
        ("back\\slash", "\"back\\\\slash\""),
    ])
    func valueCannotPassForFurtherFields(text: String, value: String) {
        #expect(LogValue.of(text) == value)
    }

    @Test func longNameIsCut() {
        #expect(LogValue.of(String(repeating: "n", count: 100_000)).unicodeScalars.count == 257)
    }
}
