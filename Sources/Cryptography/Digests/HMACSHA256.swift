package import TransferCommon
import WireProtocol

/// HMAC with SHA-256 (RFC 2104) under one key. It serves for the signatures of S3 requests.
package struct HMACSHA256: Sendable {
    private static let blockBytes = 64

    private let innerPad: [UInt8]
    private let outerPad: [UInt8]

    /// - Parameter key: a key of any length. As RFC 2104 says, a key that is longer than a block is hashed first.
    package init(key: [UInt8]) throws(CryptographyError) {
        var block = key.count > Self.blockBytes ? try SHA256Digest.of(key).bytes : key
        block.append(contentsOf: repeatElement(0, count: Self.blockBytes - block.count))
        self.innerPad = block.map { $0 ^ 0x36 }
        self.outerPad = block.map { $0 ^ 0x5C }
    }

    /// The authentication code of a text in UTF-8.
    package func code(of message: String) throws(CryptographyError) -> SHA256Digest {
        var message = message
        var inner = try SHA256Hasher()
        innerPad.withUnsafeBytes { inner.update($0) }
        message.withUTF8 { inner.update(UnsafeRawBufferPointer($0)) }
        var outer = try SHA256Hasher()
        outerPad.withUnsafeBytes { outer.update($0) }
        try inner.finalize().withUnsafeBytes { outer.update($0) }
        return try outer.finalize()
    }
}
