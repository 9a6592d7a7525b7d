import COpenSSL

/// The reason why certificates do not lead from a key to an authority.
package enum CertificateChainError: Error, Hashable {
    case missing
    /// A certificate is not valid DER, or there are too many certificates.
    case unreadable
    /// The first certificate of the chain is for another key than the expected one.
    case otherKey
    /// The first certificate of the chain is for another host. Without this check, any device with a certificate of
    /// the authority could sign receipts.
    case otherName
    /// OpenSSL refused the chain.
    /// - Parameter reason: OpenSSL's text that says what is wrong with the chain.
    case refused(reason: String)
    case cryptography(CryptographyError)
}

extension CertificateChainError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .missing: "there are none"
        case .unreadable: "one of them is damaged, or there are too many"
        case .otherKey: "the first is for another key"
        case .otherName: "the first is not for the gateway's name"
        case .refused(let reason): reason
        case .cryptography(let error): error.description
        }
    }
}

extension CertificateAuthority {
    /// Maximum number of certificates in a chain. A longer chain is refused before OpenSSL parses it.
    package static let chainCountMax = 16
    /// Maximum length of a certificate in DER. A longer one is refused before OpenSSL parses it.
    package static let certificateBytesMax = 16 << 10

    /// Verifies that a chain of untrusted certificates leads from a key to this authority.
    ///
    /// - Parameters:
    ///   - certificates: the chain, in DER. The first certificate is the one for the key.
    ///   - gatewayName: the host name or address that the first certificate must be for.
    ///   - atMilliseconds: the time at which the certificates must have been valid, since 1970-01-01 UTC.
    package func check(
        key expected: Fingerprint, certificates: [[UInt8]], gatewayName: String, atMilliseconds: Int64
    ) throws(CertificateChainError) {
        guard !certificates.isEmpty else { throw .missing }
        guard certificates.count <= Self.chainCountMax, let bundle = CertificateBundle(der: certificates) else {
            throw .unreadable
        }
        let own = bundle.first
        let fingerprint: Fingerprint
        do throws(CryptographyError) {
            fingerprint = try own.fingerprint()
        } catch {
            throw .cryptography(error)
        }
        guard fingerprint == expected else { throw .otherKey }
        try follow(bundle, at: atMilliseconds / 1_000)
        guard own.isFor(gatewayName) else { throw .otherName }
    }

    /// - Parameter seconds: the time at which the chain must have been valid, in seconds since 1970-01-01 UTC.
    private func follow(_ bundle: CertificateBundle, at seconds: Int64) throws(CertificateChainError) {
        defer { OpenSSLErrorQueue.clear() }
        guard let store = X509_STORE_new() else {
            throw .cryptography(CryptographyError(takingReasonFor: .loadAuthority))
        }
        defer { X509_STORE_free(store) }
        guard fill(store), let context = X509_STORE_CTX_new() else {
            throw .cryptography(CryptographyError(takingReasonFor: .loadAuthority))
        }
        defer { X509_STORE_CTX_free(context) }
        guard let intermediates = OPENSSL_sk_new_null() else {
            throw .cryptography(CryptographyError(takingReasonFor: .loadAuthority))
        }
        // Frees only the stack and not the certificates, which belong to the bundle.
        defer { OPENSSL_sk_free(intermediates) }
        for certificate in bundle.rest {
            guard OPENSSL_sk_push(intermediates, UnsafeRawPointer(certificate)) > 0 else {
                throw .cryptography(CryptographyError(takingReasonFor: .loadAuthority))
            }
        }
        guard X509_STORE_CTX_init(context, store, bundle.certificates[0], intermediates) == 1 else {
            throw .cryptography(CryptographyError(takingReasonFor: .loadAuthority))
        }
        X509_STORE_CTX_set_time(context, 0, time_t(seconds))
        guard X509_verify_cert(context) != 1 else { return }
        let code = X509_STORE_CTX_get_error(context)
        throw .refused(reason: String(cString: X509_verify_cert_error_string(Int(code))))
    }
}
