import S3Store
import Testing

@Suite struct XMLReaderTests {
    private static func read(
        _ document: String, limits: XMLReader.Limits = XMLReader.Limits()
    ) throws(XMLReader.Failure) -> XMLElement {
        try XMLReader.read(Array(document.utf8), limits: limits)
    }

    @Test func elementsKeepNamesTextsAndOrder() throws {
        let document = "<s:List a='>' xmlns:s=\"x\"><s:A>1</s:A><B/><A>2<C>3</C>4</A></s:List>"
        let expected = XMLElement(
            "List",
            children: [
                XMLElement("A", text: "1"), XMLElement("B"),
                XMLElement("A", text: "24", children: [XMLElement("C", text: "3")]),
            ])
        #expect(try Self.read(document) == expected)
    }

    @Test(arguments: [
        "a &amp; b": "a & b", "&amp; \u{e9}": "& \u{e9}", "\u{e9} &lt; &#x20; x": "\u{e9} <   x", "a": "a", "": "",
        "<![CDATA[a<b]]> &gt;": "a<b >", "<![CDATA[]]]]>": "]]", "&#233;&#x1F600;": "\u{e9}\u{1F600}",
        "a<!-- <b> -->c": "ac", "&quot;&apos;": "\"'",
    ])
    func textIsRead(xml: String, text: String) throws {
        #expect(try Self.read("<A>\(xml)</A>").text == text)
    }

    @Test(arguments: ["  \n<A/>", "\u{FEFF}<A/>", "<?xml version=\"1.0\"?>\n<!-- c --><A/>\n", "<A/><!-- c -->"])
    func whatMayStandAroundTheRootIsSkipped(document: String) throws {
        #expect(try Self.read(document) == XMLElement("A"))
        #expect(XMLReader.rootName(of: Array(document.utf8)) == "A")
    }

    @Test(arguments: [
        "", " ", "a", "<", "<A", "<A>", "<A></B>", "<A/>b", "<A/><B/>", "</A>", "<A a></A>", "<A a=b/>", "<A a='b/>",
        "<A>&b;</A>", "<A>&amp</A>", "<A>&#xD800;</A>", "<A>&#+65;</A>", "<A>&#;</A>", "<A>& b</A>", "<A><!--</A>",
        "<A><![CDATA[</A>", "<>", "<A><b:></A>",
    ])
    func malformedDocumentsAreRefused(document: String) {
        #expect(throws: XMLReader.Failure.malformed) { try Self.read(document) }
    }

    @Test func namesThatAreNotUTF8AreRefused() {
        let bytes = "<Error><Co\u{0}de>a</Code></Error>".utf8.map { $0 == 0 ? 0xF1 : $0 }
        #expect(throws: XMLReader.Failure.malformed) { try XMLReader.read(bytes) }
    }

    /// A document type could define entities that grow when they are expanded. So the reader refuses a document with a
    /// document type.
    @Test func documentTypesAreRefused() {
        #expect(throws: XMLReader.Failure.hasDocumentType) {
            try Self.read("<!DOCTYPE Error [<!ENTITY a \"b\">]><Error><Code>&a;</Code></Error>")
        }
    }

    /// For this document, a reader that calls itself for each element would need more stack than a thread has. So the
    /// reader limits the depth.
    @Test func deeplyNestedElementsAreRefused() {
        let count = 40_000
        let document = String(repeating: "<a>", count: count) + String(repeating: "</a>", count: count)
        #expect(throws: XMLReader.Failure.exceedsLimits) { try Self.read(document) }
        #expect(S3Documents.Failure(reading: Array("<Error>\(document)</Error>".utf8)) == nil)
    }

    @Test func eachLimitIsReachedAndNotExceeded() throws {
        var limits = XMLReader.Limits()
        limits.depth = 2
        limits.elements = 3
        limits.textBytes = 4
        #expect(try Self.read("<a><b>1234</b><c/></a>", limits: limits).children.count == 2)
        for document in ["<a><b><c/></b></a>", "<a><b/><c/><d/></a>", "<a>12345</a>", "<a>1234&lt;</a>"] {
            #expect(throws: XMLReader.Failure.exceedsLimits) { try Self.read(document, limits: limits) }
        }
    }

    /// The longest page that a store sends is within the limits.
    @Test func pageOfTenThousandPartsIsRead() throws {
        let part =
            "<Part><PartNumber>1</PartNumber><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            + "<ETag>&quot;e&quot;</ETag><Size>5</Size><ChecksumSHA256>AA==</ChecksumSHA256></Part>"
        let document = "<ListPartsResult>" + String(repeating: part, count: 10_000) + "</ListPartsResult>"
        #expect(try Self.read(document).children.count == 10_000)
    }
}
