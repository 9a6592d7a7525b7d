import COpenSSL
import NIOCore

/// A digest algorithm as OpenSSL's providers offer it.
///
/// Fetching walks the providers under a lock, so it happens once a process: the two constants are never freed.
/// `@unchecked Sendable` because a fetched `EVP_MD` never changes and OpenSSL counts its references atomically.
package struct DigestAlgorithm: @unchecked Sendable {
    package static let sha256 = DigestAlgorithm(name: "SHA2-256")
    package static let md5 = DigestAlgorithm(name: "MD5")

    /// `nil` where no provider has the algorithm.
    fileprivate let method: OpaquePointer?

    package init(name: String) {
        self.method = EVP_MD_fetch(nil, name, nil)
        // What fetching left in the queue is lost for later callers anyway: they learn only that it is missing.
        if method == nil { OpenSSLErrorQueue.clear() }
    }
}

/// The one owner of an `EVP_MD_CTX`, behind `SHA256Hasher` and `MD5Hasher`.
///
/// `@unchecked Sendable` because it cannot be copied and `update` and `finalize` need exclusive access: whoever holds
/// it is alone with the context, on whichever thread.
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

    /// A failure is kept and thrown by `finalize`, so that the many calls for one digest need no `try`.
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
