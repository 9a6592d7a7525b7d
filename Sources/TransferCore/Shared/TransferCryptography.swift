package import TransferCommon

/// The cryptography of the agent's machine. It is passed in, so that the machine needs no library.
package protocol RootDigesting: Sendable {
    /// The root digest (specification §1): SHA-256 over the bytes of the digests, in order; `nil` if the library fails.
    func rootDigest(of partDigests: [SHA256Digest]) -> SHA256Digest?
}

/// The cryptography of the gateway's machine. It is passed in, so that the machine needs no library and no randomness.
package protocol TransferCryptography: RootDigesting {
    /// Seals the plain text of a token (specification §11); `nil` if the key ring has no key that seals.
    func seal(token plain: [UInt8]) -> [UInt8]?

    /// Opens a sealed token.
    func open(token sealed: [UInt8]) -> TokenOpening

    /// The key that signs receipts (specification §9.5); `nil` if the gateway makes none. Every connection of the
    /// gateway proves this key, so it changes only when all connections end (`siteKeyChanged`).
    var receiptKey: ReceiptKey? { get }

    /// Signs the bytes of a receipt's statement with `receiptKey`; `nil` without a key, or if the library fails.
    func signature(of statement: [UInt8]) -> [UInt8]?
}

/// Cryptography that a machine calls. It is no part of the machine's state: two are always equal, so that states
/// compare by what the machine has seen.
struct UncomparedCryptography: Hashable {
    let value: any TransferCryptography

    static func == (left: UncomparedCryptography, right: UncomparedCryptography) -> Bool { true }

    func hash(into hasher: inout Hasher) {}
}

/// The public half of the key that signs receipts.
package struct ReceiptKey: Hashable, Sendable {
    /// DER SubjectPublicKeyInfo, as WELCOME carries it.
    package let publicKey: [UInt8]
    /// SHA-256 over `publicKey`, as it stands in each statement.
    package let fingerprint: SHA256Digest

    package init(publicKey: [UInt8], fingerprint: SHA256Digest) {
        self.publicKey = publicKey
        self.fingerprint = fingerprint
    }
}

/// The result of opening a token.
package enum TokenOpening: Hashable, Sendable {
    case opened([UInt8])
    /// Too short, too long, tampered with, or of an unknown form.
    case invalid
    /// The key ring does not have the key that sealed the token, or not yet: the agent tries again. The session is not
    /// lost.
    case keyUnknown
}
