import Cryptography
import NIOCore
import Testing
import TransferCommon
import WireProtocol

@Suite struct HasherTests {
    /// Examples of FIPS 180-4, from NIST's "Example Values" and "SHA Test Vectors".
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            String(repeating: "a", count: 1_000_000),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        ),
    ])
    func sha256AgreesWithPublishedExamples(text: String, digest: String) throws {
        #expect(try SHA256Digest.of(text.utf8).description == digest)
    }

    /// Examples of RFC 1321, A.5.
    @Test(arguments: [
        ("", "d41d8cd98f00b204e9800998ecf8427e"),
        ("abc", "900150983cd24fb0d6963f7d28e17f72"),
        ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
        (String(repeating: "1234567890", count: 8), "57edf4a22be3c955ac49da2e2107b67a"),
    ])
    func md5AgreesWithPublishedExamples(text: String, digest: String) throws {
        var hasher = try MD5Hasher()
        hasher.update(ByteBuffer(string: text))
        let result = try hasher.finalize()
        #expect(result.description == digest)
    }

    /// 130 bytes span three of the algorithms' 64-byte blocks.
    @Test(arguments: 0...130)
    func splittingTheBytesMakesNoDifference(boundary: Int) throws {
        let whole = (0..<130).map { UInt8($0) }
        var sha256 = try SHA256Hasher()
        var md5 = try MD5Hasher()
        for piece in [whole[..<boundary], whole[boundary...]] {
            piece.withUnsafeBytes { sha256.update($0) }
            md5.update(ByteBuffer(bytes: piece))
        }
        var wholeMD5 = try MD5Hasher()
        whole.withUnsafeBytes { wholeMD5.update($0) }
        let (splitSHA256, splitMD5, expectedMD5) = (
            try sha256.finalize(), try md5.finalize(), try wholeMD5.finalize()
        )
        #expect(try splitSHA256 == SHA256Digest.of(whole))
        #expect(splitMD5 == expectedMD5)
    }

    @Test func onlyReadableBytesOfABufferCount() throws {
        var buffer = ByteBuffer(string: "xxabc")
        buffer.moveReaderIndex(forwardBy: 2)
        buffer.reserveCapacity(1000)
        var hasher = try SHA256Hasher()
        hasher.update(buffer)
        let digest = try hasher.finalize()
        #expect(try digest == SHA256Digest.of("abc".utf8))
        #expect(buffer.readableBytes == 3)
    }

    @Test func noncontiguousBytesGiveTheSameDigest() throws {
        #expect(try SHA256Digest.of("cba".utf8.reversed()) == SHA256Digest.of("abc".utf8))
    }

    @Test func rootDigestHashesThePartDigests() throws {
        let parts = try ["one", "two", "three"].map { try SHA256Digest.of($0.utf8) }
        #expect(try RootDigest.of(parts) == SHA256Digest.of(parts[0].bytes + parts[1].bytes + parts[2].bytes))
        #expect(try RootDigest.of(parts.reversed()) != RootDigest.of(parts))
    }

    @Test func unavailableAlgorithmIsAnError() throws {
        let missing = CryptographyError(operation: .findDigest, reason: "no provider offers it")
        #expect(throws: missing) {
            _ = try DigestContext(DigestAlgorithm(name: "NO-SUCH-DIGEST"))
        }
        #expect(OpenSSLErrorQueue.isEmpty)
    }
}
