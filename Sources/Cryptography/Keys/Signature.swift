import COpenSSL
import TransferCommon
import WireProtocol

// Signatures of messages that are in memory (specification §9.5): Ed25519 without prehash, or ECDSA on P-256 with
// SHA-256, whose signatures are encoded in DER.

extension PrivateKey {
    /// Signs a message with this key.
    ///
    /// - Returns: 64 bytes for Ed25519. For P-256 at most 72 bytes of DER, which differ each time, even for the same
    ///   message.
    package borrowing func signature(of message: [UInt8]) throws(CryptographyError) -> [UInt8] {
        guard let context = EVP_MD_CTX_new() else { throw CryptographyError(takingReasonFor: .sign) }
        defer { EVP_MD_CTX_free(context) }
        var length = Int(EVP_PKEY_get_size(key))
        var signature = [UInt8](repeating: 0, count: max(0, length))
        guard EVP_DigestSignInit(context, nil, type.signatureDigest, nil, key) == 1,
            EVP_DigestSign(context, &signature, &length, message, message.count) == 1, length <= signature.count
        else { throw CryptographyError(takingReasonFor: .sign) }
        return Array(signature.prefix(length))
    }
}

/// Owns one `EVP_PKEY` of OpenSSL with a public key of a kind in ``KeyType``, and frees it.
///
/// `@unchecked Sendable` because a key never changes after it was made, and OpenSSL counts its references atomically.
package struct PublicKey: ~Copyable, @unchecked Sendable {
    private let key: OpaquePointer

    package let type: KeyType
    /// SHA-256 over the encoded key.
    package let fingerprint: Fingerprint

    /// Maximum length of an encoded key. A longer one is refused before OpenSSL parses it. For comparison: a P-256 key
    /// has 91 bytes.
    package static let bytesMax = 256

    /// Reads a key from a peer or a file.
    ///
    /// - Parameter bytes: exactly one DER SubjectPublicKeyInfo.
    package init(subjectPublicKeyInfo bytes: [UInt8]) throws(PublicKeyError) {
        guard (1...Self.bytesMax).contains(bytes.count) else { throw .unreadable }
        defer { OpenSSLErrorQueue.clear() }
        let read: OpaquePointer? = bytes.withUnsafeBufferPointer { buffer in
            var position = buffer.baseAddress
            guard let key = d2i_PUBKEY(nil, &position, buffer.count) else { return nil }
            guard let start = buffer.baseAddress, position == start + buffer.count else {
                EVP_PKEY_free(key)
                return nil
            }
            return key
        }
        guard let read else { throw .unreadable }
        guard let type = KeyType.allCases.first(where: { $0.isType(of: read) }) else {
            let kind = KeyType.describe(read)
            EVP_PKEY_free(read)
            throw .unsupported(kind: kind)
        }
        let digest: SHA256Digest
        do throws(CryptographyError) {
            digest = try SHA256Digest.of(bytes)
        } catch {
            EVP_PKEY_free(read)
            throw .cryptography(error)
        }
        self.key = read
        self.type = type
        self.fingerprint = Fingerprint(digest)
    }

    /// Reads the first `PUBLIC KEY` block of a PEM text.
    package init(pem: [UInt8]) throws(PublicKeyError) {
        defer { OpenSSLErrorQueue.clear() }
        guard let stream = MemoryStream(pem) else { throw .unreadable }
        // If a block claims to be encrypted, OpenSSL would ask for a passphrase on the terminal. This callback prevents
        // that.
        let noPassphrase: @convention(c) (UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?) -> Int32
        noPassphrase = { _, _, _, _ in -1 }
        var encoding: UnsafeMutablePointer<UInt8>?
        var length = 0
        guard
            PEM_bytes_read_bio(&encoding, &length, nil, PEM_STRING_PUBLIC, stream.stream, noPassphrase, nil) == 1,
            let encoding
        else { throw .unreadable }
        defer { CRYPTO_free(encoding, #fileID, #line) }
        try self.init(subjectPublicKeyInfo: Array(UnsafeBufferPointer(start: encoding, count: length)))
    }

    /// Whether the private key that belongs to this public key has signed exactly this message. Any bytes may be passed
    /// as the signature.
    package borrowing func isSignature(_ signature: [UInt8], of message: [UInt8]) throws(CryptographyError) -> Bool {
        guard let context = EVP_MD_CTX_new() else { throw CryptographyError(takingReasonFor: .verify) }
        defer { EVP_MD_CTX_free(context) }
        guard EVP_DigestVerifyInit(context, nil, type.signatureDigest, nil, key) == 1 else {
            throw CryptographyError(takingReasonFor: .verify)
        }
        // For a malformed signature OpenSSL puts an error into its queue. Here that only means that the signature is
        // wrong, so empty the queue.
        defer { OpenSSLErrorQueue.clear() }
        return EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    }

    deinit {
        EVP_PKEY_free(key)
    }
}

/// The reason why bytes are not a usable public key.
package enum PublicKeyError: Error, Hashable {
    case unreadable
    /// The key is of a kind that Sluice does not use.
    /// - Parameter kind: OpenSSL's names of the algorithm and the curve.
    case unsupported(kind: String)
    case cryptography(CryptographyError)
}

extension PublicKeyError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unreadable: "it is not a public key (DER SubjectPublicKeyInfo)"
        case .unsupported(let kind): "it is a key of the kind \(kind); only Ed25519 and P-256 are possible"
        case .cryptography(let error): error.description
        }
    }
}

extension Fingerprint {
    /// The fingerprint of the key in a PEM text: a public key, or certificates, of which the first is used.
    package init(pem: [UInt8]) throws(PublicKeyError) {
        guard let bundle = CertificateBundle(pem: pem) else {
            self = try PublicKey(pem: pem).fingerprint
            return
        }
        do throws(CryptographyError) {
            self = try bundle.first.fingerprint()
        } catch {
            throw .cryptography(error)
        }
    }
}
