import COpenSSL

/// The one owner of an `EVP_PKEY` with an Ed25519 private key.
///
/// `@unchecked Sendable` because the key never changes once made, and OpenSSL counts its references atomically.
package struct PrivateKey: ~Copyable, @unchecked Sendable {
    /// Lent to OpenSSL calls only; those that keep it take a reference of their own.
    package let key: OpaquePointer

    private static let algorithm = "ED25519"

    /// A new Ed25519 key, from the library's own generator.
    package static func generate() throws(CryptographyError) -> PrivateKey {
        try PrivateKey()
    }

    private init() throws(CryptographyError) {
        guard let context = EVP_PKEY_CTX_new_from_name(nil, Self.algorithm, nil) else {
            throw CryptographyError(takingReasonFor: .makeKey)
        }
        defer { EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        guard EVP_PKEY_keygen_init(context) == 1, EVP_PKEY_generate(context, &key) == 1, let key else {
            throw CryptographyError(takingReasonFor: .makeKey)
        }
        self.key = key
    }

    /// - Parameter pem: PKCS#8 without a passphrase. `nil` for anything else, and for keys of other algorithms.
    package init?(pem: [UInt8]) {
        defer { OpenSSLErrorQueue.clear() }
        guard let stream = MemoryStream(pem) else { return nil }
        // OpenSSL would ask the terminal for a passphrase, and wait, if it were not told that there is none.
        let noPassphrase: @convention(c) (UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?) -> Int32
        noPassphrase = { _, _, _, _ in -1 }
        guard let key = PEM_read_bio_PrivateKey(stream.stream, nil, noPassphrase, nil) else { return nil }
        guard EVP_PKEY_is_a(key, Self.algorithm) == 1 else {
            EVP_PKEY_free(key)
            return nil
        }
        self.key = key
    }

    /// PKCS#8, not encrypted: for a file that only its owner can read.
    package func pem() throws(CryptographyError) -> [UInt8] {
        guard let stream = MemoryStream(),
            PEM_write_bio_PKCS8PrivateKey(stream.stream, key, nil, nil, 0, nil, nil) == 1,
            let pem = stream.contents()
        else { throw CryptographyError(takingReasonFor: .encodeKey) }
        return pem
    }

    deinit {
        EVP_PKEY_free(key)
    }
}
