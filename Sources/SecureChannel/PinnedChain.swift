import COpenSSL
import Cryptography

/// Follows the certificates that a gateway shows to a key that the agent has pinned (specification §5.1).
///
/// A site that has changed its key shows the new certificate, signed by the old key, and behind it the old certificate.
/// Only keys and signatures count: names, dates and the marks of an authority mean nothing, because a site's own
/// certificate has none of them.
package enum PinnedChain {
    /// Certificates that are looked at, the gateway's own included; each but the first costs one signature check. It is
    /// also the longest chain that a gateway shows.
    package static let certificatesMax = 8

    /// Whether a pin is the key of any certificate behind the first, and each certificate up to there is signed by the
    /// key of the one behind it.
    ///
    /// - Parameters:
    ///   - certificate: the gateway's own.
    ///   - shown: OpenSSL's stack of what the gateway showed, its own first; `nil` for none.
    static func leads(from certificate: OpaquePointer, through shown: OpaquePointer?, to pins: Set<Fingerprint>) -> Bool
    {
        defer { OpenSSLErrorQueue.clear() }
        guard let shown else { return false }
        var signed = certificate
        for index in 0..<min(max(0, OPENSSL_sk_num(shown)), Int32(certificatesMax)) {
            guard let signer = OPENSSL_sk_value(shown, index).map({ OpaquePointer($0) }) else { return false }
            if index == 0, X509_cmp(certificate, signer) == 0 { continue }
            guard let key = X509_get0_pubkey(signer), X509_verify(signed, key) == 1 else { return false }
            // A key that cannot be told is not a pinned one.
            if let fingerprint = try? Certificate(sharing: signer).fingerprint(), pins.contains(fingerprint) {
                return true
            }
            signed = signer
        }
        return false
    }
}
