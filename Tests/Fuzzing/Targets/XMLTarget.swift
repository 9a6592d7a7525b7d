import ObjectStore
import S3Store
import TransferCommon
import WireProtocol

extension FuzzTarget {
    /// The answers of a store. The first byte of the input selects what the rest is: a document, a text that is put
    /// into a document, or a key in the encoding `encoding-type=url`.
    package static let xml = FuzzTarget(name: "xml", inputBytesMax: 1 << 20) { input in
        let bytes = Array(input.dropFirst())
        switch (input.first ?? 0) & 3 {
        case 0, 1: try expectOneReading(bytes)
        case 2: try expectComesBack(String(decoding: bytes, as: UTF8.self))
        default: try expectDecodes(String(decoding: bytes, as: UTF8.self))
        }
    } seeds: { _ in
        let part = "<Part><PartNumber>1</PartNumber><ETag>&quot;e&quot;</ETag><Size>5</Size></Part>"
        let documents = [
            "created": "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>",
            "completed": """
            <?xml version="1.0" encoding="UTF-8"?>\n<CompleteMultipartUploadResult \
            xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><ETag>"e-2"</ETag><ChecksumSHA256>AA==-2</ChecksumSHA256>\
            </CompleteMultipartUploadResult>
            """,
            "parts": "  \n<ListPartsResult><IsTruncated>false</IsTruncated>\(part)\(part)</ListPartsResult>\n",
            "parts-response": "<s:ListPartsResponse xmlns:s=\"x\"><s:Part/></s:ListPartsResponse>",
            "uploads": """
            <ListMultipartUploadsResult><EncodingType>url</EncodingType><Upload><Key>a%2Fb+c</Key><UploadId>u\
            </UploadId><Initiated>2026-01-01T00:00:00.000Z</Initiated></Upload></ListMultipartUploadsResult>
            """,
            "objects": "<ListBucketResult><Contents><Key><![CDATA[a<b]]></Key></Contents></ListBucketResult>",
            "failure": "<Error><Code>NoSuchUpload</Code><Message>é &#x20AC;</Message></Error>",
            "comment": "<!-- a --><Error a='b'/>", "entity": "<!DOCTYPE Error [<!ENTITY a \"b\">]><Error>&a;</Error>",
            "html": "<html><body>502</body></html>", "empty": "", "cut": "<Error><Code>No", "deep": "<Error><a><b><c>",
            "nested": String(repeating: "<a>", count: 40) + String(repeating: "</a>", count: 40),
        ]
        var seeds = documents.mapValues { [0] + Array($0.utf8) }
        seeds["text"] = [2] + "a & b < c > \"d\" \u{301}".utf8
        seeds["key"] = [3] + "a%2Fb+c%zz".utf8
        return seeds
    }
}

/// An error document must not be read as an answer of another kind.
private func expectOneReading(_ bytes: [UInt8]) throws(FuzzFinding) {
    func answers() -> [String] {
        let answers: [(any S3Document)?] = [
            S3Documents.Created(reading: bytes), S3Documents.Completed(reading: bytes),
            S3Documents.Parts(reading: bytes), S3Documents.Uploads(reading: bytes), S3Documents.Objects(reading: bytes),
        ]
        return answers.compactMap { $0.map { String(describing: $0) } }
    }
    let first = answers()
    try expect(answers() == first, "read twice, it says something else")
    guard let failure = S3Documents.Failure(reading: bytes) else { return }
    try expect(first.isEmpty || XMLReader.rootName(of: bytes) == "ErrorResponse", "an error is read as an answer")
    try expect(
        XMLReader.rootName(of: bytes).map { ["Error", "ErrorResponse"].contains($0) } == true,
        "the error \(failure) has another root")
}

private func expectComesBack(_ text: String) throws(FuzzFinding) {
    let isLegal = text.unicodeScalars.allSatisfy { scalar in
        switch scalar.value {
        case 0x20...0xD7FF, 0xE000...0xFFFD, 0x1_0000...0x10_FFFF: true
        default: false
        }
    }
    // A decoder may drop white space at the beginning and the end of a text, because it may belong to the layout of the
    // document. So only other texts are compared.
    guard isLegal, let first = text.unicodeScalars.first, let last = text.unicodeScalars.last,
        !first.properties.isWhitespace, !last.properties.isWhitespace
    else { return }
    let document = "<Error><Code>\(S3XML.escaped(text))</Code></Error>"
    let failure = S3Documents.Failure(reading: Array(document.utf8))
    guard text.utf8.count <= XMLReader.Limits().textBytes else {
        return try expect(failure == nil, "a text is longer than allowed, and is read")
    }
    try expect(failure?.code.map { $0.utf8.elementsEqual(text.utf8) } == true, "a text does not come back")
}

private func expectDecodes(_ text: String) throws(FuzzFinding) {
    // Decoding must not trap, whatever the text is.
    let decoded = S3Documents.decoded(text)
    try expect((decoded?.utf8.count ?? 0) <= text.utf8.count, "a key grows when it is decoded")
    let encoded = text.utf8.map { "%" + hexadecimal(CollectionOfOne($0)) }.joined()
    try expect(
        S3Documents.decoded(encoded).map { $0.utf8.elementsEqual(text.utf8) } == true, "a key does not come back")
}
