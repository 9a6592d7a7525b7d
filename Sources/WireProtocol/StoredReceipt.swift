/// A receipt as it is kept: the statement's bytes, the signature, and the public key that is said to have made it.
///
/// Nothing of it has been verified. Only the bytes of the statement count, because they are what was signed; `content`
/// reads them. Whether the signature is right, and whose the key is, `SecureChannel` tells.
package struct StoredReceipt: Hashable, Sendable {
    /// The bytes that were signed.
    package var statement: [UInt8]
    /// Ed25519: 64 bytes. ECDSA on P-256: DER.
    package var signature: [UInt8]
    /// DER SubjectPublicKeyInfo.
    package var publicKey: [UInt8]
    /// DER certificates: the one of the key, then those that lead to an authority. None where keys are pinned.
    package var certificates: [[UInt8]]

    /// Longest signature (§4.20); the shortest is one byte.
    package static let signatureBytesMax = 128
    /// Longest public key (§4.2); the shortest is one byte.
    package static let publicKeyBytesMax = 256
    /// The longest statement is one whose texts are as long as their counts allow.
    package static let statementBytesMax = 1 << 18

    package init(statement: [UInt8], signature: [UInt8], publicKey: [UInt8], certificates: [[UInt8]] = []) {
        self.statement = statement
        self.signature = signature
        self.publicKey = publicKey
        self.certificates = certificates
    }

    /// What the receipt says, read from the statement's bytes.
    package func content() throws(ReceiptStatementError) -> ReceiptStatement {
        try ReceiptStatement(decoding: statement)
    }
}
