/// The kinds of private key that an identity may have.
package enum KeyType: String, CaseIterable, Sendable {
    /// RFC 8032. The default of `init`.
    case ed25519
    /// ECDSA on the curve P-256 (`prime256v1`), for authorities and hardware without Ed25519.
    case p256
}
