/// The kinds of private key that an identity may have.
package enum KeyType: String, CaseIterable, Sendable {
    /// Ed25519 (RFC 8032). The default of the `init` commands.
    case ed25519
    /// ECDSA on the curve P-256 (`prime256v1`), for authorities and hardware without Ed25519.
    case p256
}
