import COpenSSL
import Cryptography

/// Decides in the middle of a handshake whether the peer's certificate is the right one.
///
/// That the peer has the certificate's key is for OpenSSL to find out, right after.
final class PeerVerifier: Sendable {
    /// What speaks for a certificate.
    enum Trust: Sendable {
        /// Nothing but its key: name and dates mean nothing.
        case key
        /// A chain of signatures from the authority.
        /// - Parameters:
        ///   - checksDates: not on agents, whose clocks are not to be trusted.
        ///   - isPinned: whether a key speaks for itself, whatever its certificate says.
        ///   - isAwaited: whether somebody may come whom the authority does not know; who does then has no name.
        case authority(
            checksDates: Bool, isPinned: @Sendable (Fingerprint) -> Bool, isAwaited: @Sendable () -> Bool)
    }

    /// What the certificate has to be, once it is trusted.
    enum Expectation: Sendable {
        /// One of these keys, or a key from which certificates lead to one of them (`PinnedChain`).
        case gatewayWithKey(Set<Fingerprint>)
        case gatewayNamed(String)
        case device(@Sendable (TLSPeer) -> Bool)
    }

    /// What became of it, kept with the connection because OpenSSL hands on no more than yes or no.
    struct Finding {
        var peer: TLSPeer?
        var refusal: TLSError.Code?

        /// OpenSSL's text for what is wrong with the chain.
        var reason: String?
    }

    let trust: Trust
    private let expectation: Expectation

    init(trust: Trust, expectation: Expectation) {
        self.trust = trust
        self.expectation = expectation
    }

    /// - Parameter store: the `X509_STORE_CTX` with the peer's certificate; an error put there decides which alert the
    ///   peer gets.
    func verify(_ store: OpaquePointer) -> Finding {
        guard let certificate = X509_STORE_CTX_get0_cert(store).map({ Certificate(sharing: $0) }) else {
            return Finding(refusal: .noCertificate)
        }
        let fingerprint: Fingerprint
        do {
            fingerprint = try certificate.fingerprint()
        } catch {
            return refuse(.untrustedCertificate, store, X509_V_ERR_CERT_REJECTED)
        }
        var name: String?
        if case .authority(let checksDates, let isPinned, let isAwaited) = trust, !isPinned(fingerprint) {
            if !checksDates { X509_STORE_CTX_set_flags(store, UInt(X509_V_FLAG_NO_CHECK_TIME)) }
            if X509_verify_cert(store) == 1 {
                // The list of devices has names in it; without one there is nothing to look up.
                name = certificate.name ?? ""
            } else if !isAwaited() {
                return refuseChain(store)
            }
        }
        let peer = TLSPeer(fingerprint: fingerprint, name: name)
        switch expectation {
        case .gatewayWithKey(let pins) where !isPinned(certificate, fingerprint, store, by: pins):
            return refuse(.unexpectedGateway(fingerprint), store, X509_V_ERR_CERT_REJECTED)
        case .gatewayNamed(let name) where !certificate.isFor(name):
            return refuse(.unexpectedName, store, X509_V_ERR_HOSTNAME_MISMATCH)
        case .device(let accepts) where !accepts(peer):
            return refuse(.unknownDevice(fingerprint), store, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT)
        case .gatewayWithKey, .gatewayNamed, .device:
            X509_STORE_CTX_set_error(store, X509_V_OK)
            return Finding(peer: peer)
        }
    }

    private func isPinned(
        _ certificate: borrowing Certificate, _ fingerprint: Fingerprint, _ store: OpaquePointer,
        by pins: Set<Fingerprint>
    ) -> Bool {
        pins.contains(fingerprint)
            || PinnedChain.leads(
                from: certificate.certificate, through: X509_STORE_CTX_get0_untrusted(store), to: pins)
    }

    /// The peer learns whether it is its dates; which other link of the chain is weak is nobody's business.
    private func refuseChain(_ store: OpaquePointer) -> Finding {
        let error = X509_STORE_CTX_get_error(store)
        if error != X509_V_ERR_CERT_HAS_EXPIRED, error != X509_V_ERR_CERT_NOT_YET_VALID {
            X509_STORE_CTX_set_error(store, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY)
        }
        let reason = X509_verify_cert_error_string(Int(error)).map { String(cString: $0) }
        return Finding(refusal: .untrustedCertificate, reason: reason)
    }

    private func refuse(_ code: TLSError.Code, _ store: OpaquePointer, _ error: Int32) -> Finding {
        X509_STORE_CTX_set_error(store, error)
        return Finding(refusal: code)
    }
}
