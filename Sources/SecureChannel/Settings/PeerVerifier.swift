import COpenSSL
import Cryptography

/// Decides during a handshake whether the peer's certificate is accepted.
///
/// OpenSSL verifies afterwards that the peer has the certificate's private key.
final class PeerVerifier: Sendable {
    /// What makes a certificate trusted.
    enum Trust: Sendable {
        /// The key in the certificate. The certificate's name and dates are ignored.
        case key
        /// A chain of signatures that leads from the certificate to the authority.
        /// - Parameters:
        ///   - checksDates: whether the certificates have to be valid now. Agents do not check this, because their
        ///     clocks may be wrong.
        ///   - isPinned: returns whether a key is trusted even without a chain. The rest of its certificate is then
        ///     ignored.
        ///   - isAwaited: returns whether a peer without a chain may connect in order to enrol. Such a peer has no
        ///     name.
        case authority(
            checksDates: Bool, isPinned: @Sendable (Fingerprint) -> Bool, isAwaited: @Sendable () -> Bool)
    }

    /// A condition that a trusted certificate has to meet in addition.
    enum Expectation: Sendable {
        /// The gateway must have one of these keys, or present certificates that lead from its key to one of them
        /// (`PinnedChain`).
        case gatewayWithKey(Set<Fingerprint>)
        case gatewayNamed(String)
        case device(@Sendable (TLSPeer) -> Bool)
    }

    /// The result of a verification. It is stored with the connection, because OpenSSL only reports whether the
    /// verification succeeded.
    struct Finding {
        var peer: TLSPeer?
        var refusal: TLSError.Code?

        /// OpenSSL's text that says what is wrong with the chain.
        var reason: String?
        /// The refused certificate.
        var shown: TLSError.ShownCertificate?
    }

    let trust: Trust
    private let expectation: Expectation

    init(trust: Trust, expectation: Expectation) {
        self.trust = trust
        self.expectation = expectation
    }

    /// Decides whether the peer's certificate is accepted.
    ///
    /// - Parameter store: the `X509_STORE_CTX` with the peer's certificate. The method sets an error code in it, from
    ///   which OpenSSL chooses the alert that the peer gets.
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
                // The gateway looks this name up in its device list. For a certificate without a name it looks up an
                // empty name, which no list contains.
                name = certificate.name ?? ""
            } else if !isAwaited() {
                return refuseChain(store, fingerprint, name: certificate.name)
            }
        }
        let peer = TLSPeer(fingerprint: fingerprint, name: name)
        switch expectation {
        case .gatewayWithKey(let pins) where !isPinned(certificate, fingerprint, store, by: pins):
            return refuse(.unexpectedGateway(fingerprint), store, X509_V_ERR_CERT_REJECTED)
        case .gatewayNamed(let name) where !certificate.isFor(name):
            return refuse(.unexpectedName, store, X509_V_ERR_HOSTNAME_MISMATCH)
        case .device(let accepts) where !accepts(peer):
            var refusal = refuse(.unknownDevice(fingerprint), store, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT)
            refusal.shown = .init(fingerprint: fingerprint, name: certificate.name)
            return refusal
        case .gatewayWithKey, .gatewayNamed, .device:
            X509_STORE_CTX_set_error(store, X509_V_OK)
            // OpenSSL has also checked the chain of a certificate that is trusted without a chain. This check may have
            // left errors in the queue. `SSL_get_error` reads the queue before anything else, and would report them as
            // a failure of the handshake.
            OpenSSLErrorQueue.clear()
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

    /// The alert tells the peer only whether a date in the chain is the reason.
    private func refuseChain(_ store: OpaquePointer, _ fingerprint: Fingerprint, name: String?) -> Finding {
        let error = X509_STORE_CTX_get_error(store)
        let isOutOfDate = error == X509_V_ERR_CERT_HAS_EXPIRED || error == X509_V_ERR_CERT_NOT_YET_VALID
        if !isOutOfDate {
            X509_STORE_CTX_set_error(store, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY)
        }
        let reason = X509_verify_cert_error_string(Int(error)).map { String(cString: $0) }
        return Finding(
            refusal: .untrustedCertificate, reason: reason,
            shown: .init(fingerprint: fingerprint, name: name, isOutOfDate: isOutOfDate))
    }

    private func refuse(_ code: TLSError.Code, _ store: OpaquePointer, _ error: Int32) -> Finding {
        X509_STORE_CTX_set_error(store, error)
        return Finding(refusal: code)
    }
}
