/// A receipt as it is stored: the statement's bytes, the signature, and the public key that claims to have made it.
///
/// None of the fields has been verified. The signature is of the bytes of the statement, so these bytes are stored as
/// they are; `content` decodes them. `SecureChannel` verifies the signature and the key.
package struct StoredReceipt: Hashable, Sendable {
    /// The signed bytes.
    package var statement: [UInt8]
    /// The signature: Ed25519, 64 bytes, or ECDSA on P-256 in DER.
    package var signature: [UInt8]
    /// The signing key as DER SubjectPublicKeyInfo.
    package var publicKey: [UInt8]
    /// DER certificates: the signing key's own first, then those up to an authority. Empty if the agent pins keys.
    package var certificates: [[UInt8]]

    /// Longest signature (§4.20); the shortest is one byte.
    package static let signatureBytesMax = 128
    /// Longest public key (§4.2); the shortest is one byte.
    package static let publicKeyBytesMax = 256
    /// Longest statement in bytes. No valid statement is longer, even if all its texts have their greatest length.
    package static let statementBytesMax = 1 << 18

    package init(statement: [UInt8], signature: [UInt8], publicKey: [UInt8], certificates: [[UInt8]] = []) {
        self.statement = statement
        self.signature = signature
        self.publicKey = publicKey
        self.certificates = certificates
    }

    /// Decodes the statement.
    package func content() throws(ReceiptStatementError) -> ReceiptStatement {
        try ReceiptStatement(decoding: statement)
    }
}
