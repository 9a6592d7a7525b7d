import ObjectStore
import S3Store
import Testing

/// Reading a store's XML.
@Suite struct DocumentTests {
    /// The parser delivers a text in pieces that end at every entity and before every character that is not ASCII.
    @Test(arguments: [
        "a &amp; b": "a & b", "&amp; \u{e9}": "& \u{e9}", "\u{e9} &lt; &#x20; x": "\u{e9} <   x", "a": "a",
    ])
    func spacesWithinATextAreKept(xml: String, text: String) {
        let document = "<Error><Code>\(xml)</Code></Error>"
        #expect(S3XML.decode(S3Documents.Failure.self, from: Array(document.utf8))?.code == text)
    }

    /// With names that are not UTF-8 the XML parser once ended the process.
    @Test(arguments: ["<Error><Code>&\u{0}uot;</Code></Error>", "<Error><Co\u{0}de>a</Code></Error>"])
    func aNameThatIsNotUTF8IsNoDocument(document: String) {
        let bytes = document.utf8.map { $0 == 0 ? 0xF1 : $0 }
        #expect(S3XML.decode(S3Documents.Failure.self, from: bytes)?.code == nil)
    }

    @Test func aDocumentTypeIsNotRead() {
        let document = "<!DOCTYPE Error [<!ENTITY a \"b\">]><Error><Code>&a;</Code></Error>"
        #expect(S3XML.decode(S3Documents.Failure.self, from: Array(document.utf8))?.code == nil)
    }

    @Test func documentLayoutIsIgnored() {
        let document =
            "  <?xml version=\"1.0\"?>\n<Error>\n  <Code>NoSuchUpload</Code>\n  <Other><A/>\n</Other>\n</Error>\n"
        #expect(S3XML.decode(S3Documents.Failure.self, from: Array(document.utf8))?.code == "NoSuchUpload")
    }
}
