import Testing
import TransferCommon

@Suite struct VisibleTextTests {
    @Test(arguments: [
        ("plain/key.mp4", "plain/key.mp4"), ("Gerät 7 – e\u{301} 日本", "Gerät 7 – e\u{301} 日本"), ("", ""),
        ("a\nb", "a\\u{a}b"), ("\u{1B}[31mred", "\\u{1b}[31mred"), ("a\u{202E}b", "a\\u{202e}b"),
        ("\u{0}\u{7F}\u{85}", "\\u{0}\\u{7f}\\u{85}"), ("a\u{2028}b", "a\\u{2028}b"), ("\r\n", "\\u{d}\\u{a}"),
    ])
    func controlsAreVisible(text: String, visible: String) {
        #expect(text.withVisibleControls == visible)
    }

    @Test(arguments: [
        (#"{"key":"plain é \n"}"#, #"{"key":"plain é \n"}"#), ("\u{9B}2J", #"\u009b2J"#), ("\u{7F}", #"\u007f"#),
        ("a\u{202E}b", #"a\u202eb"#), ("\u{E0001}", #"\udb40\udc01"#), ("", ""),
    ])
    func controlsInJSONAreEscaped(text: String, escaped: String) {
        #expect(text.withEscapedControls == escaped)
    }
}
