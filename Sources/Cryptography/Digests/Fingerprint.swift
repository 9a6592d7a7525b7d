package import TransferCommon
import WireProtocol

/// The SHA-256 of a peer's public key (DER, SubjectPublicKeyInfo), which identifies the peer. If a certificate is
/// renewed for the same key, the fingerprint stays the same.
package struct Fingerprint: Hashable, Sendable {
    package let digest: SHA256Digest

    package init(_ digest: SHA256Digest) {
        self.digest = digest
    }
}

extension Fingerprint: LosslessStringConvertible {
    private static let prefix = "sha256:"

    /// - Parameter description: `sha256:` and 64 hexadecimal digits of either case, and nothing around them.
    package init?(_ description: String) {
        guard description.hasPrefix(Self.prefix),
            let digest = SHA256Digest(String(description.dropFirst(Self.prefix.count)))
        else { return nil }
        self.init(digest)
    }

    package var description: String { Self.prefix + digest.description }
}
