package import NIOCore
package import TransferCommon

/// Computes a SHA-256 over bytes that arrive in pieces. The boundaries of the pieces do not affect the digest.
package struct SHA256Hasher: ~Copyable, Sendable {
    private var context: DigestContext

    package init() throws(CryptographyError) {
        self.context = try DigestContext(.sha256)
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
    package consuming func finalize() throws(CryptographyError) -> SHA256Digest {
        guard let digest = SHA256Digest(bytes: try context.finalize()) else {
            throw CryptographyError(operation: .digest, reason: "the digest has an unexpected size")
        }
        return digest
    }
}

extension SHA256Digest {
    /// The digest of bytes that are all in memory.
    package static func of(_ bytes: some Sequence<UInt8>) throws(CryptographyError) -> SHA256Digest {
        var hasher = try SHA256Hasher()
        let isContiguous: Void? = bytes.withContiguousStorageIfAvailable { hasher.update(UnsafeRawBufferPointer($0)) }
        if isContiguous == nil {
            Array(bytes).withUnsafeBytes { hasher.update($0) }
        }
        return try hasher.finalize()
    }
}

/// The digest of a whole file, computed from the digests of its parts. The parts can therefore be hashed separately and
/// in any order.
package enum RootDigest {
    /// SHA-256 over the concatenated 32-byte digests of a file's parts. It depends on the part size.
    ///
    /// An empty file has one empty part. For an empty list, which no file has, the result is the digest of no bytes.
    /// - Parameter partDigests: the digests of all parts, in the order of the part numbers.
    package static func of(_ partDigests: [SHA256Digest]) throws(CryptographyError) -> SHA256Digest {
        var hasher = try SHA256Hasher()
        for digest in partDigests {
            digest.withUnsafeBytes { hasher.update($0) }
        }
        return try hasher.finalize()
    }
}
