import SeededRandom
import Testing
import TransferCommon
import WireProtocol

@Suite struct IdentifiersTests {
    @Test func textOfAValueReadsBackAsTheValue() throws {
        var generator = SeededGenerator(seed: 1)
        let session = SessionID.random(using: &generator)
        #expect(SessionID(session.description) == session)
        let bytes = (0..<32).map { UInt8($0) }
        let digest = try #require(SHA256Digest(bytes: bytes))
        #expect(digest.bytes == bytes)
        #expect(SHA256Digest(digest.description.uppercased()) == digest)
        let md5 = try #require(MD5Digest(bytes: bytes.prefix(16)))
        #expect(md5.bytes == Array(bytes.prefix(16)))
        #expect(MD5Digest(md5.description) == md5)
    }

    @Test func everyByteOfADigestCounts() throws {
        let bytes = [UInt8](repeating: 0, count: 32)
        for index in bytes.indices {
            var other = bytes
            other[index] = 1
            #expect(SHA256Digest(bytes: other) != SHA256Digest(bytes: bytes))
        }
    }

    @Test(arguments: [0, 15, 17, 31, 33])
    func wrongByteCountIsNoDigest(count: Int) {
        let bytes = [UInt8](repeating: 0, count: count)
        #expect(SHA256Digest(bytes: bytes) == nil)
        #expect(MD5Digest(bytes: bytes) == nil)
        #expect(SessionID(hexadecimal(bytes)) == nil)
    }

    @Test(arguments: ["0", "0g", "é", "0x", " 0", "00 "])
    func otherTextIsNotHexadecimal(text: String) {
        #expect(bytesOfHexadecimal(text) == nil)
    }

    @Test func partsAreNumberedFromOne() {
        #expect(PartNumber(0) == nil)
        #expect(PartNumber(1)?.value == 1)
        #expect(PartNumber(.max)?.value == .max)
    }
}
