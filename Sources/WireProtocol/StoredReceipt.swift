/// A receipt as agents store it: the bytes of the statement, the signature, and the public key that the signature is
/// said to come from.
///
/// None of the fields has been verified. The statement is kept as bytes, because the gateway signed these bytes;
/// `content` decodes them. The target `Cryptography` verifies the signature and the key.
package struct StoredReceipt: Hashable, Sendable {
    /// The signed bytes.
    package var statement: [UInt8]
    /// The signature: 64 bytes for Ed25519, or DER for ECDSA on P-256.
    package var signature: [UInt8]
    /// The signing key as DER SubjectPublicKeyInfo.
    package var publicKey: [UInt8]
    /// Certificates in DER: first the certificate of the signing key, then the certificates that lead to an authority.
    /// Empty if the agent pins keys.
    package var certificates: [[UInt8]]

    /// Maximum length of a signature (§4.20); the minimum is one byte.
    package static let signatureBytesMax = 128
    /// Maximum length of a public key (§4.2); the minimum is one byte.
    package static let publicKeyBytesMax = 256
    /// Maximum length of a statement in bytes. It is enough for a statement whose texts all have their maximum length.
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
