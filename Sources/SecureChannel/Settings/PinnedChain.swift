import COpenSSL
import Cryptography

/// Looks for a chain to a pinned key among the certificates that a gateway presents (specification §5.1).
///
/// A site that has changed its key presents the new certificate, which the old key has signed, followed by the old
/// certificate. Only keys and signatures are verified: names, dates and authority flags are ignored, because a site's
/// own certificates do not use them.
package enum PinnedChain {
    /// Maximum number of certificates that are searched, including the gateway's own. The limit bounds the work,
    /// because each certificate except the first costs one signature check. A gateway never presents a longer chain.
    package static let certificatesMax = 8

    /// Whether the certificates lead to a pinned key. They do if one of them, after the first, has a pinned key, and
    /// each certificate before that one is signed by the key of the next certificate.
    ///
    /// - Parameters:
    ///   - certificate: the gateway's own certificate.
    ///   - shown: OpenSSL's stack of all certificates that the gateway presented, its own first; `nil` for none.
    static func leads(from certificate: OpaquePointer, through shown: OpaquePointer?, to pins: Set<Fingerprint>) -> Bool
    {
        defer { OpenSSLErrorQueue.clear() }
        guard let shown else { return false }
        var signed = certificate
        for index in 0..<min(max(0, OPENSSL_sk_num(shown)), Int32(certificatesMax)) {
            guard let signer = OPENSSL_sk_value(shown, index).map({ OpaquePointer($0) }) else { return false }
            if index == 0, X509_cmp(certificate, signer) == 0 { continue }
            guard let key = X509_get0_pubkey(signer), X509_verify(signed, key) == 1 else { return false }
            // try?: a key whose fingerprint cannot be computed counts as not pinned.
            if let fingerprint = try? Certificate(sharing: signer).fingerprint(), pins.contains(fingerprint) {
                return true
            }
            signed = signer
        }
        return false
    }
}
