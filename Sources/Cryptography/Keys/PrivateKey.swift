import COpenSSL

/// Owns one `EVP_PKEY` of OpenSSL with a private key of a kind in ``KeyType``, and frees it.
///
/// `@unchecked Sendable` because a key never changes after it was made, and OpenSSL counts its references atomically.
package struct PrivateKey: ~Copyable, @unchecked Sendable {
    /// Pointer to the `EVP_PKEY`. It is valid for as long as this value lives. An OpenSSL function that keeps the
    /// pointer takes a reference of its own.
    package let key: OpaquePointer

    package let type: KeyType

    /// Makes a new key with OpenSSL's random generator.
    package static func generate(_ type: KeyType) throws(CryptographyError) -> PrivateKey {
        try PrivateKey(generating: type)
    }

    private init(generating type: KeyType) throws(CryptographyError) {
        guard let context = EVP_PKEY_CTX_new_from_name(nil, type.algorithm, nil) else {
            throw CryptographyError(takingReasonFor: .makeKey)
        }
        defer { EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        guard EVP_PKEY_keygen_init(context) == 1,
            type.curve.map({ EVP_PKEY_CTX_set_group_name(context, $0) == 1 }) ?? true,
            EVP_PKEY_generate(context, &key) == 1, let key
        else { throw CryptographyError(takingReasonFor: .makeKey) }
        self.key = key
        self.type = type
    }

    /// - Parameter pem: the key in PKCS#8. For P-256 also the older form `EC PRIVATE KEY`, with or without a block of
    ///   parameters before it.
    package init(pem: [UInt8]) throws(PrivateKeyError) {
        defer { OpenSSLErrorQueue.clear() }
        guard let stream = MemoryStream(pem) else { throw .unreadable }
        // For an encrypted key, OpenSSL would ask for a passphrase on the terminal and wait. This callback prevents
        // that.
        let noPassphrase: @convention(c) (UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?) -> Int32
        noPassphrase = { _, _, _, wasAsked in
            wasAsked?.storeBytes(of: true, as: Bool.self)
            return -1
        }
        var wasAsked = false
        guard let key = PEM_read_bio_PrivateKey(stream.stream, nil, noPassphrase, &wasAsked) else {
            throw wasAsked ? .encrypted : .unreadable
        }
        guard let type = KeyType.allCases.first(where: { $0.isType(of: key) }) else {
            let kind = KeyType.describe(key)
            EVP_PKEY_free(key)
            throw .unsupported(kind: kind)
        }
        self.key = key
        self.type = type
    }

    /// The key in PKCS#8 and PEM, not encrypted. To be written only to a file that no other user can read.
    package func pem() throws(CryptographyError) -> [UInt8] {
        guard let stream = MemoryStream(),
            PEM_write_bio_PKCS8PrivateKey(stream.stream, key, nil, nil, 0, nil, nil) == 1,
            let pem = stream.contents()
        else { throw CryptographyError(takingReasonFor: .encodeKey) }
        return pem
    }

    /// The digest algorithm for this key's signatures; `nil` if the signature algorithm itself includes one, as Ed25519
    /// does.
    var signatureDigest: OpaquePointer? { type.signatureDigest }

    deinit {
        EVP_PKEY_free(key)
    }
}

/// The reason why a text contains no usable private key.
package enum PrivateKeyError: Error, Hashable {
    case unreadable
    /// The key is encrypted with a passphrase, and a service cannot ask for one.
    case encrypted
    /// The key is of a kind that Sluice does not use.
    /// - Parameter kind: OpenSSL's names of the algorithm and the curve.
    case unsupported(kind: String)
}

extension KeyType {
    fileprivate var algorithm: String {
        switch self {
        case .ed25519: "ED25519"
        case .p256: "EC"
        }
    }

    /// OpenSSL's name of the curve; `nil` for an algorithm that has only one curve.
    fileprivate var curve: String? {
        switch self {
        case .ed25519: nil
        case .p256: "prime256v1"
        }
    }

    /// The digest algorithm for signatures with a key of this type; `nil` if the signature algorithm itself includes
    /// one.
    var signatureDigest: OpaquePointer? {
        switch self {
        case .ed25519: nil
        case .p256: EVP_sha256()
        }
    }

    /// Whether a key has this type.
    func isType(of key: OpaquePointer) -> Bool {
        EVP_PKEY_is_a(key, algorithm) == 1 && (curve == nil || curve == Self.curve(of: key))
    }

    /// - Returns: `nil` if the key has no curve, or the curve has no name.
    private static func curve(of key: OpaquePointer) -> String? {
        var name = [CChar](repeating: 0, count: 64)
        var length = 0
        guard EVP_PKEY_get_group_name(key, &name, name.count, &length) == 1, length <= name.count else { return nil }
        return String(decoding: name.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// OpenSSL's names of a key's algorithm and curve.
    static func describe(_ key: OpaquePointer) -> String {
        let algorithm = EVP_PKEY_get0_type_name(key).map { String(cString: $0) } ?? "unknown"
        return curve(of: key).map { "\(algorithm) (\($0))" } ?? algorithm
    }
}
