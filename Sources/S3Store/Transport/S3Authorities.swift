import AsyncHTTPClient
import NIOSSL
import SystemSupport
package import TransferCommon

/// Certificates of authorities. The store's certificate must come from one of these authorities, which replace the
/// authorities of the system.
package struct S3Authorities: Sendable {
    private static let bytesMax = 4 << 20

    private let certificates: [NIOSSLCertificate]

    /// - Parameter path: a file with one or more certificates in PEM.
    package init(file path: String) throws(S3ConfigurationError) {
        let bytes: [UInt8]
        do {
            bytes = try BoundedFile.read(path, bytesMax: Self.bytesMax, access: .anyone)
        } catch {
            throw S3ConfigurationError(
                "the file of --s3-ca cannot be read (\(error.debugDescription)); name the file with the certificate "
                    + "of the store's authority, in PEM")
        }
        // try?: the library's text about a file without a certificate would not help the operator.
        guard let certificates = try? NIOSSLCertificate.fromPEMBytes(bytes), !certificates.isEmpty else {
            throw S3ConfigurationError(
                "\(path) holds no certificate in PEM; name with --s3-ca the file with the certificate of the store's "
                    + "authority")
        }
        self.certificates = certificates
    }

    /// Configures TLS to trust only these authorities; with `nil`, the authorities of the system.
    static func configure(_ settings: inout HTTPClient.Configuration, with authorities: S3Authorities?) {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        if let authorities { configuration.trustRoots = .certificates(authorities.certificates) }
        settings.tlsConfiguration = configuration
    }
}

/// The reason why the client rejected a store's certificate. It is the `cause` of a `StoreError`.
package enum S3CertificateError: Error, Hashable {
    /// The certificate is expired, or no trusted authority has signed it.
    case untrusted
    /// The certificate is for another host than the one that the client has connected to.
    case otherHost

    /// - Returns: `nil` if the error is not about a certificate.
    init?(_ error: any Error) {
        if let error = error as? NIOSSLExtraError, error == .failedToValidateHostname {
            self = .otherHost
        } else if case .handshakeFailed(let reason)? = error as? NIOSSLError,
            String(describing: reason).contains("CERTIFICATE_VERIFY_FAILED")
        {
            self = .untrusted
        } else {
            return nil
        }
    }

    /// A sentence for the operator.
    var sentence: String {
        switch self {
        case .untrusted: "The store's certificate has expired, or no authority that the gateway trusts has signed it."
        case .otherHost: "The store's certificate is for another host than the one that the gateway called."
        }
    }
}

extension StoreError {
    /// The setting that an operator should check.
    package enum Advice: Hashable, Sendable {
        /// The store redirects requests to another address.
        case address
        /// The store's certificate is not trusted.
        case authority
        /// The store's certificate names another host.
        case host
        /// The name of the store, or of the proxy, cannot be resolved.
        case name
    }

    /// The setting that an operator should check because of this error; `nil` if `reason` says enough.
    package var advice: Advice? {
        switch cause {
        case let refusal as S3Refusal: refusal.isRedirect ? .address : nil
        case let error as S3CertificateError: error == .untrusted ? .authority : .host
        case let error as S3TransportFailure: error.unresolvedHost == nil ? nil : .name
        default: nil
        }
    }
}
