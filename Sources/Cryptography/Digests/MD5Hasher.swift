package import NIOCore
package import TransferCommon

/// Computes an MD5 over bytes that arrive in pieces, for stores that keep no better digest.
package struct MD5Hasher: ~Copyable, Sendable {
    private var context: DigestContext

    /// - Throws: where OpenSSL offers no MD5, as in FIPS mode. Callers then work without this evidence.
    package init() throws(CryptographyError) {
        self.context = try DigestContext(.md5)
    }

    /// Adds the next bytes. A failure is thrown by `finalize`.
    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        context.update(bytes)
    }

    /// Adds a buffer's readable bytes and does not consume them.
    package mutating func update(_ bytes: ByteBuffer) {
        context.update(bytes)
    }

    /// Ends the computation; the hasher is used up.
    package consuming func finalize() throws(CryptographyError) -> MD5Digest {
        guard let digest = MD5Digest(bytes: try context.finalize()) else {
            throw CryptographyError(operation: .digest, reason: "the digest has an unexpected size")
        }
        return digest
    }
}
