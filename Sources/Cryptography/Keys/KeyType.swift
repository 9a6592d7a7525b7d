/// The kinds of private key that an identity may have.
package enum KeyType: String, CaseIterable, Sendable {
    /// RFC 8032; what `init` makes unless told otherwise.
    case ed25519
    /// ECDSA on the curve P-256 (`prime256v1`), for authorities and hardware that know nothing newer.
    case p256
}
