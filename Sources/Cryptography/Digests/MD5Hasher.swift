package import NIOCore
package import TransferCommon

/// Computes an MD5 over bytes that arrive in pieces, for stores that keep nothing better.
package struct MD5Hasher: ~Copyable, Sendable {
    private var context: DigestContext

    /// - Throws: where the library offers no MD5, as in FIPS mode. Callers do without this evidence then.
    package init() throws(CryptographyError) {
        self.context = try DigestContext(.md5)
    }

    /// The next bytes. A failure inside is thrown by `finalize`.
    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        context.update(bytes)
    }

    /// The readable bytes of a buffer, which keeps them.
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
