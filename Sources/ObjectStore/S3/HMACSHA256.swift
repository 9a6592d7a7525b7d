import NIOCore
import SecureChannel
import WireProtocol

/// The keyed hash that request signatures are made of (RFC 2104 with SHA-256).
enum HMACSHA256 {
    private static let blockBytes = 64

    /// - Parameter key: of any length; one that exceeds a block is hashed first, as the specification says.
    static func code(key: [UInt8], message: some Sequence<UInt8>) throws(CryptographyError) -> [UInt8] {
        var block = key.count > blockBytes ? try SHA256Digest.of(key).bytes : key
        block.append(contentsOf: repeatElement(0, count: blockBytes - block.count))
        let inner = try SHA256Digest.of(block.map { $0 ^ 0x36 } + Array(message))
        return try SHA256Digest.of(block.map { $0 ^ 0x5C } + inner.bytes).bytes
    }
}
