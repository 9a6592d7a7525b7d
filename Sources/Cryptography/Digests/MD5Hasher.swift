package import NIOCore
package import TransferCommon

/// Computes an MD5 over bytes that arrive in pieces, for stores that keep no better digest.
package struct MD5Hasher: ~Copyable, Sendable {
    private var context: DigestContext

    /// - Throws: if OpenSSL has no MD5, as in FIPS mode. Callers then do without this digest.
    package init() throws(CryptographyError) {
        self.context = try DigestContext(.md5)
    }

    /// Adds the next bytes. If OpenSSL fails, `finalize` throws the error.
    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        context.update(bytes)
    }

    /// Adds a buffer's readable bytes and does not consume them.
    package mutating func update(_ bytes: ByteBuffer) {
        context.update(bytes)
    }

    /// Ends the computation and returns the digest. The hasher cannot be used afterwards.
    package consuming func finalize() throws(CryptographyError) -> MD5Digest {
        guard let digest = MD5Digest(bytes: try context.finalize()) else {
            throw CryptographyError(operation: .digest, reason: "the digest has an unexpected size")
        }
        return digest
    }
}
