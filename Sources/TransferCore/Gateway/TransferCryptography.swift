package import TransferCommon

/// Cryptography of both machines, agent and gateway. The caller supplies it, so the machines use no library.
package protocol RootDigesting: Sendable {
    /// SHA-256 over the digests, joined in order (the root digest, specification §1); `nil` if the library fails.
    func rootDigest(of partDigests: [SHA256Digest]) -> SHA256Digest?
}

/// Cryptography that the gateway's machine needs. The caller supplies it: the machine uses no library or randomness.
package protocol TransferCryptography: RootDigesting {
    /// Seals a token's plain text (specification §11); `nil` if the key ring has no key that seals.
    func seal(token plain: [UInt8]) -> [UInt8]?

    /// Opens a sealed token.
    func open(token sealed: [UInt8]) -> TokenOpening

    /// The key that signs receipts (specification §9.5) and that every connection of this gateway proves; `nil` if the
    /// gateway makes no receipts. The key changes only when all connections end (`siteKeyChanged`).
    var receiptKey: ReceiptKey? { get }

    /// Signs the bytes of a receipt's statement with `receiptKey`; `nil` if there is no key, or if the library fails.
    func signature(of statement: [UInt8]) -> [UInt8]?
}

/// The public half of the key that signs receipts.
package struct ReceiptKey: Hashable, Sendable {
    /// DER SubjectPublicKeyInfo, as WELCOME carries it.
    package let publicKey: [UInt8]
    /// SHA-256 of `publicKey`. Each statement contains this digest.
    package let fingerprint: SHA256Digest

    package init(publicKey: [UInt8], fingerprint: SHA256Digest) {
        self.publicKey = publicKey
        self.fingerprint = fingerprint
    }
}

/// Result of opening a token.
package enum TokenOpening: Hashable, Sendable {
    case opened([UInt8])
    /// The token is too short, too long, was tampered with, or has an unknown form.
    case invalid
    /// The token's key is not yet, or no longer, on the ring: the agent tries again, and the session is not lost.
    case keyUnknown
}
