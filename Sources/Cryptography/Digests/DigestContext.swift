import COpenSSL
import NIOCore

/// A digest algorithm of an OpenSSL provider.
///
/// To fetch an algorithm, OpenSSL locks and searches the providers. So each algorithm is fetched once per process and
/// never freed. `@unchecked Sendable` because a fetched `EVP_MD` never changes and OpenSSL counts its references
/// atomically.
package struct DigestAlgorithm: @unchecked Sendable {
    package static let sha256 = DigestAlgorithm(name: "SHA2-256")
    package static let md5 = DigestAlgorithm(name: "MD5")

    /// `nil` if no provider has the algorithm.
    fileprivate let method: OpaquePointer?

    package init(name: String) {
        self.method = EVP_MD_fetch(nil, name, nil)
        // Empty the queue: later callers only need to know that the algorithm is missing, and must not read these
        // errors.
        if method == nil { OpenSSLErrorQueue.clear() }
    }
}

/// Owns one `EVP_MD_CTX` of OpenSSL and frees it. `SHA256Hasher` and `MD5Hasher` use it.
///
/// `@unchecked Sendable` because only one thread at a time can use the context: a value cannot be copied, and `update`
/// and `finalize` need exclusive access to it.
package struct DigestContext: ~Copyable, @unchecked Sendable {
    private let context: OpaquePointer
    private var hasFailed = false

    package init(_ algorithm: DigestAlgorithm) throws(CryptographyError) {
        guard let method = algorithm.method else {
            throw CryptographyError(operation: .findDigest, reason: "no provider offers it")
        }
        guard let context = EVP_MD_CTX_new() else { throw CryptographyError(takingReasonFor: .digest) }
        guard EVP_DigestInit_ex2(context, method, nil) == 1 else {
            EVP_MD_CTX_free(context)
            throw CryptographyError(takingReasonFor: .digest)
        }
        self.context = context
    }

    /// Adds the next bytes. If OpenSSL fails, `finalize` throws the error later, so that the many calls of this method
    /// need no `try`.
    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
        if EVP_DigestUpdate(context, start, bytes.count) != 1 { hasFailed = true }
    }

    mutating func update(_ bytes: ByteBuffer) {
        bytes.withUnsafeReadableBytes { update($0) }
    }

    /// Ends the computation and returns the digest, in the length that the algorithm gives.
    package consuming func finalize() throws(CryptographyError) -> [UInt8] {
        let digest = [UInt8](unsafeUninitializedCapacity: Int(EVP_MAX_MD_SIZE)) { digest, count in
            var byteCount: UInt32 = 0
            guard !hasFailed, EVP_DigestFinal_ex(context, digest.baseAddress, &byteCount) == 1 else { return }
            count = Int(byteCount)
        }
        guard !digest.isEmpty else { throw CryptographyError(takingReasonFor: .digest) }
        return digest
    }

    deinit {
        EVP_MD_CTX_free(context)
    }
}
