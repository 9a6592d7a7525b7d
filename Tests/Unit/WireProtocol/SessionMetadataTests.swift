import Testing
import TransferCommon
import WireProtocol

/// The rules for metadata (specification §6.6).
@Suite struct SessionMetadataTests {
    private static func offered(
        _ contentType: String = "", _ pairs: [(String, String)] = []
    ) -> OfferedMetadata {
        OfferedMetadata(
            contentType: contentType, pairs: pairs.map { MetadataPair(name: $0.0, value: $0.1) })
    }

    /// The most metadata that is allowed: 64 pairs whose names and values have 1,792 bytes together.
    private static let most = (0..<64).map { ($0 < 10 ? "0\($0)" : "\($0)", String(repeating: "v", count: 26)) }

    private static let allowed: [OfferedMetadata] = [
        offered(), offered("a/b"), offered("text/plain; charset=utf-8"),
        offered("a/" + String(repeating: "b", count: 253)), offered("~!/\"#"),
        offered("", [("a", "b")]), offered("", [("-", "~"), ("0", "!"), ("a", "a b c")]),
        offered("", [("sluice", "x"), ("sluicex-", "y")]),
        offered("", [(String(repeating: "n", count: 64), String(repeating: "v", count: 1_728))]),
        offered("video/mp4", most),
    ]

    @Test(arguments: allowed)
    func validMetadataAreUnchanged(metadata: OfferedMetadata) throws {
        #expect(try SessionMetadata(metadata).offered == metadata)
    }

    private static let refused: [(OfferedMetadata, SessionMetadataError)] =
        ["none", "/", "/b", "a/", " a/b", "a/b ", "a /  b", "a/b\u{7F}", "a/b\n", "é/b", "a/é"].map {
            (offered($0), .contentTypeInvalid($0))
        }
        + ["", "A", "é", "a_b", "a b", "a.b", String(repeating: "n", count: 65)].map {
            (offered("", [($0, "v")]), .nameInvalid($0))
        }
        + ["sluice-", "sluice-x"].map { (offered("", [($0, "v")]), .nameReserved($0)) }
        + ["", " ", " v", "v ", "a  b", "a\tb", "é", "\u{7F}"].map {
            (offered("", [("n", $0)]), .valueInvalid(name: "n"))
        } + [
            (offered("", [("a", "1"), ("a", "2")]), .namesNotAscending("a")),
            (offered("", [("b", "1"), ("a", "2")]), .namesNotAscending("a")),
            (offered("", most + [("99", "v")]), .tooManyPairs(65)),
            (offered("", [("n", String(repeating: "v", count: 1_792))]), .tooLong(byteCount: 1_793)),
            (
                offered("a/" + String(repeating: "b", count: 254)),
                .contentTypeInvalid("a/" + String(repeating: "b", count: 254))
            ),
        ]

    @Test(arguments: refused.indices)
    func invalidMetadataAreRefused(index: Int) {
        let (metadata, error) = Self.refused[index]
        #expect(throws: error) { try SessionMetadata(metadata) }
        #expect(!error.description.isEmpty)
    }

    /// The frame can carry metadata that breaks the rules. So the gateway can refuse such metadata with a message, and
    /// need not end the connection.
    @Test func sessionOpenNeedsValidMetadata() throws {
        let pairs = Self.offered("video/mp4", [("line", "3")])
        var terms = SessionTerms(
            key: "k", size: 1, partBytes: 1, modification: ModificationTime(seconds: 0, nanoseconds: 0),
            condition: .absent, metadata: try SessionMetadata(pairs))
        let id = SessionID(high: 1, low: 2)
        let open = SessionOpen(session: id, terms: terms, compares: false)
        #expect(open.metadata == pairs)
        #expect(try open.terms == terms)
        terms.metadata = .none
        #expect(try open.terms != terms)
        let broken = SessionOpen(
            session: id, terms: terms, metadata: Self.offered("none"), compares: false, asksForReceipt: false)
        #expect(throws: SessionMetadataError.contentTypeInvalid("none")) { try broken.terms }
        #expect(
            Outcome(feeding: try encoded(.sessionOpen(broken)), receiver: .gateway).inbound
                == [.frame(Slot(1), .sessionOpen(broken))])
    }
}
