package import NIOCore
package import TransferCommon

/// Computes a SHA-256 over bytes that arrive in pieces. How they are cut makes no difference.
package struct SHA256Hasher: ~Copyable, Sendable {
    private var context: DigestContext

    package init() throws(CryptographyError) {
        self.context = try DigestContext(.sha256)
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
    package consuming func finalize() throws(CryptographyError) -> SHA256Digest {
        guard let digest = SHA256Digest(bytes: try context.finalize()) else {
            throw CryptographyError(operation: .digest, reason: "the digest has an unexpected size")
        }
        return digest
    }
}

extension SHA256Digest {
    /// The digest of bytes that are all at hand.
    package static func of(_ bytes: some Sequence<UInt8>) throws(CryptographyError) -> SHA256Digest {
        var hasher = try SHA256Hasher()
        let isContiguous: Void? = bytes.withContiguousStorageIfAvailable { hasher.update(UnsafeRawBufferPointer($0)) }
        if isContiguous == nil {
            Array(bytes).withUnsafeBytes { hasher.update($0) }
        }
        return try hasher.finalize()
    }
}

/// The digest of a whole file, made of its parts' digests so that parts can be hashed in any order and on their own.
package enum RootDigest {
    /// SHA-256 over the 32-byte digests of a file's parts, one after the other. It depends on the part size.
    ///
    /// An empty file has one empty part; an empty list describes no file and gives the digest of nothing.
    /// - Parameter partDigests: in the order of the part numbers.
    package static func of(_ partDigests: [SHA256Digest]) throws(CryptographyError) -> SHA256Digest {
        var hasher = try SHA256Hasher()
        for digest in partDigests {
            digest.withUnsafeBytes { hasher.update($0) }
        }
        return try hasher.finalize()
    }
}
