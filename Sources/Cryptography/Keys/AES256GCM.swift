import COpenSSL

/// Authenticated encryption with AES-256-GCM, 96-bit nonces and 128-bit tags (NIST SP 800-38D).
package enum AES256GCM {
    package static let keyByteCount = 32
    package static let nonceByteCount = 12
    package static let tagByteCount = 16

    /// Encrypts bytes.
    ///
    /// - Parameters:
    ///   - nonce: 12 bytes that were never used with this key before.
    ///   - associated: bytes that are authenticated together with the plain bytes, but are not part of the result.
    /// - Returns: the ciphertext, as long as `plain`, followed by the tag.
    package static func seal(
        _ plain: [UInt8], key: [UInt8], nonce: [UInt8], associated: [UInt8]
    ) throws(CryptographyError) -> [UInt8] {
        let context = try CipherContext(for: .seal, key: key, nonce: nonce)
        try context.authenticate(associated)
        var sealed = try context.transform(plain)
        guard context.finish() else { throw CryptographyError(takingReasonFor: .seal) }
        sealed += try context.tag()
        return sealed
    }

    /// Decrypts bytes and checks their tag.
    ///
    /// - Parameter sealed: a result of `seal`. For fewer bytes than a tag has, the result is `nil`.
    /// - Returns: the plain bytes; `nil` if the tag does not match the key, the nonce, the associated bytes and the
    ///   ciphertext.
    package static func open(
        _ sealed: ArraySlice<UInt8>, key: [UInt8], nonce: [UInt8], associated: [UInt8]
    ) throws(CryptographyError) -> [UInt8]? {
        guard sealed.count >= tagByteCount else { return nil }
        let context = try CipherContext(for: .open, key: key, nonce: nonce)
        try context.authenticate(associated)
        let plain = try context.transform(Array(sealed.dropLast(tagByteCount)))
        try context.expect(tag: Array(sealed.suffix(tagByteCount)))
        guard context.finish() else {
            OpenSSLErrorQueue.clear()
            return nil
        }
        return plain
    }
}

/// Owns one `EVP_CIPHER_CTX` of OpenSSL, for encrypting or decrypting one message, and frees it. The methods are called
/// in the order in which they are declared.
private struct CipherContext: ~Copyable {
    enum Direction: Int32 {
        case open = 0
        case seal = 1

        var operation: CryptographyError.Operation {
            switch self {
            case .open: .open
            case .seal: .seal
            }
        }
    }

    private let context: OpaquePointer
    private let direction: Direction

    init(for direction: Direction, key: [UInt8], nonce: [UInt8]) throws(CryptographyError) {
        guard let cipher = FetchedCipher.aes256GCM.cipher else {
            throw CryptographyError(operation: .findCipher, reason: "no provider offers it")
        }
        // OpenSSL gets only the addresses of key and nonce and not their lengths. It would read past the end of a
        // shorter array.
        guard key.count == AES256GCM.keyByteCount, nonce.count == AES256GCM.nonceByteCount else {
            throw CryptographyError(operation: direction.operation, reason: "key or nonce has an unexpected size")
        }
        guard let context = EVP_CIPHER_CTX_new() else { throw CryptographyError(takingReasonFor: direction.operation) }
        guard EVP_CipherInit_ex2(context, cipher, key, nonce, direction.rawValue, nil) == 1 else {
            EVP_CIPHER_CTX_free(context)
            throw CryptographyError(takingReasonFor: direction.operation)
        }
        self.context = context
        self.direction = direction
    }

    func authenticate(_ associated: [UInt8]) throws(CryptographyError) {
        guard !associated.isEmpty else { return }
        var written: Int32 = 0
        let length = try length(of: associated)
        guard EVP_CipherUpdate(context, nil, &written, associated, length) == 1 else { throw failure() }
    }

    /// Decrypted bytes must not be used before `finish` has returned `true`.
    func transform(_ input: [UInt8]) throws(CryptographyError) -> [UInt8] {
        guard !input.isEmpty else { return [] }
        var output = [UInt8](repeating: 0, count: input.count)
        var written: Int32 = 0
        let length = try length(of: input)
        guard EVP_CipherUpdate(context, &output, &written, input, length) == 1, written == length else {
            throw failure()
        }
        return output
    }

    /// For decrypting only, before `finish`.
    func expect(tag: [UInt8]) throws(CryptographyError) {
        var tag = tag
        guard EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(AES256GCM.tagByteCount), &tag) == 1 else {
            throw failure()
        }
    }

    /// - Returns: whether OpenSSL succeeded; for decrypting, whether the tag is right.
    func finish() -> Bool {
        // GCM writes nothing here. The buffer is there because OpenSSL's documentation allows the function to write one
        // block.
        var rest = [UInt8](repeating: 0, count: Int(EVP_MAX_BLOCK_LENGTH))
        var written: Int32 = 0
        return EVP_CipherFinal_ex(context, &rest, &written) == 1
    }

    /// The tag. For encrypting only, after `finish`.
    func tag() throws(CryptographyError) -> [UInt8] {
        var tag = [UInt8](repeating: 0, count: AES256GCM.tagByteCount)
        guard EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(tag.count), &tag) == 1 else { throw failure() }
        return tag
    }

    private func length(of bytes: [UInt8]) throws(CryptographyError) -> Int32 {
        guard let length = Int32(exactly: bytes.count) else {
            throw CryptographyError(operation: direction.operation, reason: "the input is too long")
        }
        return length
    }

    private func failure() -> CryptographyError {
        CryptographyError(takingReasonFor: direction.operation)
    }

    deinit {
        EVP_CIPHER_CTX_free(context)
    }
}

/// The cipher from OpenSSL's provider. It is fetched once per process and never freed. `@unchecked Sendable` because a
/// fetched `EVP_CIPHER` never changes.
private struct FetchedCipher: @unchecked Sendable {
    static let aes256GCM = FetchedCipher(cipher: EVP_CIPHER_fetch(nil, "AES-256-GCM", nil))

    /// `nil` if no provider has the cipher.
    let cipher: OpaquePointer?
}
