import SeededRandom
import Testing
import TransferCommon
import TransferCore
import WireProtocol

@Suite struct SessionTokenTests {
    static let tokens = [
        SessionToken(
            device: "edge-7", session: SessionID(high: 1, low: .max),
            terms: SessionTerms(
                key: "site/ä/文件", size: 12_345, partBytes: 1 << 20,
                modification: ModificationTime(seconds: -5, nanoseconds: 999_999_999),
                condition: .matches(SessionID(high: 3, low: 4))),
            issuedMilliseconds: -1, upload: "upload-1"),
        SessionToken(
            device: "", session: SessionID(high: 0, low: 0),
            terms: SessionTerms(
                key: "", size: nil, partBytes: .max, modification: ModificationTime(seconds: .max, nanoseconds: 0),
                condition: .any),
            issuedMilliseconds: .max, upload: ""),
        SessionToken(
            device: "edge-8", session: SessionID(high: 5, low: 6),
            terms: SessionTerms(
                key: "k", size: 0, partBytes: 1, modification: ModificationTime(seconds: 0, nanoseconds: 0),
                condition: .absent, metadata: metadata),
            issuedMilliseconds: 0, upload: "u"),
    ]

    private static var metadata: SessionMetadata {
        let offered = OfferedMetadata(
            contentType: "video/mp4",
            pairs: [MetadataPair(name: "line", value: "3"), MetadataPair(name: "shift", value: "late shift")])
        do {
            return try SessionMetadata(offered)
        } catch {
            preconditionFailure("\(error)")
        }
    }

    /// A gateway never seals invalid metadata, so a token with such metadata is rejected.
    @Test func invalidMetadataMakeNoToken() throws {
        let encoded = try #require(Self.tokens[2].encoded)
        let place = try #require(encoded.indices.first { encoded[$0...].starts(with: "shift".utf8) })
        for byte in [UInt8(ascii: "S"), UInt8(ascii: "a"), UInt8(ascii: " ")] {
            var changed = encoded
            changed[place] = byte
            #expect(SessionToken(encoded: changed) == nil)
        }
    }

    @Test(arguments: tokens)
    func roundTrips(token: SessionToken) throws {
        let encoded = try #require(token.encoded)
        #expect(SessionToken(encoded: encoded) == token)
    }

    @Test(arguments: tokens)
    func wrongLengthIsRefused(token: SessionToken) throws {
        let encoded = try #require(token.encoded)
        for count in encoded.indices { #expect(SessionToken(encoded: Array(encoded.prefix(count))) == nil) }
        #expect(SessionToken(encoded: encoded + [0]) == nil)
    }

    @Test func anyBytesGiveATokenOrNothing() {
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<2_000 {
            var bytes = generator.bytes(Int.random(in: 0..<120, using: &generator))
            if !bytes.isEmpty { bytes[0] = 2 }
            if let token = SessionToken(encoded: bytes) { #expect(token.encoded == bytes) }
        }
    }

    @Test func tooLongFieldGivesNoToken() {
        var token = Self.tokens[0]
        token.device = String(repeating: "x", count: 256)
        #expect(token.encoded == nil)
        token.device = "x"
        token.upload = String(repeating: "x", count: 4_000)
        #expect(token.encoded == nil)
        token.upload = String(repeating: "x", count: 3_900)
        #expect((token.encoded?.count ?? .max) + 33 <= SessionToken.sealedBytesMax)
    }
}
