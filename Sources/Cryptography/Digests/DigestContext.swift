import COpenSSL
import NIOCore

/// A digest algorithm of an OpenSSL provider.
///
/// Fetching an algorithm locks and searches the providers, so each is fetched once per process and never freed.
/// `@unchecked Sendable` because a fetched `EVP_MD` never changes and OpenSSL counts its references atomically.
package struct DigestAlgorithm: @unchecked Sendable {
    package static let sha256 = DigestAlgorithm(name: "SHA2-256")
    package static let md5 = DigestAlgorithm(name: "MD5")

    /// `nil` where no provider has the algorithm.
    fileprivate let method: OpaquePointer?

    package init(name: String) {
        self.method = EVP_MD_fetch(nil, name, nil)
        // Later callers could not read these errors anyway: they learn only that the algorithm is missing.
        if method == nil { OpenSSLErrorQueue.clear() }
    }
}

/// Owns one `EVP_MD_CTX` of OpenSSL and frees it. `SHA256Hasher` and `MD5Hasher` are made of it.
///
/// `@unchecked Sendable` because it cannot be copied, and `update` and `finalize` need exclusive access: only one
/// thread at a time can use the context.
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

    /// Stores a failure for `finalize` to throw, so that the many calls for one digest need no `try`.
    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
        if EVP_DigestUpdate(context, start, bytes.count) != 1 { hasFailed = true }
    }

    mutating func update(_ bytes: ByteBuffer) {
        bytes.withUnsafeReadableBytes { update($0) }
    }

    /// - Returns: as many bytes as the algorithm's digest has.
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
