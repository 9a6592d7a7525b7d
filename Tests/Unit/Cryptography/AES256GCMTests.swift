import Cryptography
import Testing
import TransferCommon

/// Test cases 13 to 16 of McGrew and Viega, "The Galois/Counter Mode of Operation": those with a 256-bit key and a
/// 96-bit nonce.
@Suite struct AES256GCMTests {
    struct Vector: Sendable {
        let key: String
        let nonce: String
        var associated = ""
        let plain: String
        let cipher: String
        let tag: String
    }

    static let vectors = [
        Vector(
            key: String(repeating: "0", count: 64), nonce: String(repeating: "0", count: 24), plain: "", cipher: "",
            tag: "530f8afbc74536b9a963b4f1c4cb738b"),
        Vector(
            key: String(repeating: "0", count: 64), nonce: String(repeating: "0", count: 24),
            plain: String(repeating: "0", count: 32), cipher: "cea7403d4d606b6e074ec5d3baf39d18",
            tag: "d0d1c8a799996bf0265b98b5d48ab919"),
        Vector(
            key: "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", nonce: "cafebabefacedbaddecaf888",
            plain: "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                + "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
            cipher: "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                + "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
            tag: "b094dac5d93471bdec1a502270e3cc6c"),
        Vector(
            key: "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", nonce: "cafebabefacedbaddecaf888",
            associated: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            plain: "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                + "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
            cipher: "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                + "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
            tag: "76fc6ece0f4e1768cddf8853bb2d551b"),
    ]

    @Test(arguments: vectors)
    func agreesWithPublishedVectors(vector: Vector) throws {
        let key = try #require(bytesOfHexadecimal(vector.key))
        let nonce = try #require(bytesOfHexadecimal(vector.nonce))
        let associated = try #require(bytesOfHexadecimal(vector.associated))
        let plain = try #require(bytesOfHexadecimal(vector.plain))
        let sealed = try AES256GCM.seal(plain, key: key, nonce: nonce, associated: associated)
        #expect(hexadecimal(sealed) == vector.cipher + vector.tag)
        #expect(try AES256GCM.open(sealed[...], key: key, nonce: nonce, associated: associated) == plain)
    }

    @Test(arguments: [(31, 12), (33, 12), (32, 11), (32, 13), (0, 0)])
    func wrongKeyAndNonceSizesAreErrors(keyByteCount: Int, nonceByteCount: Int) {
        let key = [UInt8](repeating: 1, count: keyByteCount)
        let nonce = [UInt8](repeating: 2, count: nonceByteCount)
        #expect(throws: CryptographyError(operation: .seal, reason: "key or nonce has an unexpected size")) {
            try AES256GCM.seal([1, 2, 3], key: key, nonce: nonce, associated: [])
        }
    }
}
