import COpenSSL
package import SystemSupport

/// One or more private authorities whose signatures on certificates are trusted.
package final class CertificateAuthority: Sendable {
    private let bundle: CertificateBundle

    /// Maximum length of a file of authorities. A longer file is refused.
    package static let fileBytesMax = 1 << 20

    /// Loads authorities from a file.
    ///
    /// - Parameter path: a file with certificates in PEM, all of them of authorities. The method throws if one of them
    ///   may not sign other certificates: such a certificate certifies only its own key, and an operator who trusts a
    ///   single key pins it instead.
    package static func load(from path: String) throws(CertificateAuthorityError) -> CertificateAuthority {
        let pem: [UInt8]
        do {
            pem = try BoundedFile.read(path, bytesMax: fileBytesMax, access: .anyone)
        } catch {
            throw .file(error)
        }
        guard let bundle = CertificateBundle(pem: pem) else { throw .noCertificate(path: path) }
        for certificate in bundle.certificates where X509_check_ca(certificate) == 0 {
            throw .noAuthority(path: path, name: Certificate(sharing: certificate).name)
        }
        return CertificateAuthority(bundle)
    }

    private init(_ bundle: CertificateBundle) {
        self.bundle = bundle
    }

    /// Adds the authorities to an `X509_STORE`, which then accepts them as the ends of chains.
    ///
    /// - Returns: whether OpenSSL succeeded.
    package func fill(_ store: OpaquePointer) -> Bool {
        // PARTIAL_CHAIN: every authority in the file is trusted, so a chain may also end at an intermediate authority.
        X509_STORE_set_flags(store, UInt(X509_V_FLAG_PARTIAL_CHAIN)) == 1
            && bundle.certificates.allSatisfy { X509_STORE_add_cert(store, $0) == 1 }
    }
}

/// The error for a file of authorities that cannot be used.
package enum CertificateAuthorityError: Error, Hashable {
    case file(FileError)
    /// The file contains no certificate, or one that cannot be parsed.
    case noCertificate(path: String)
    /// The file contains a certificate that may not sign other certificates. `name` is the name in that certificate.
    case noAuthority(path: String, name: String?)
}

extension CertificateAuthorityError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .file(let error):
            error.debugDescription
        case .noCertificate(let path):
            "\(path) holds no certificate in PEM, or a damaged one."
        case .noAuthority(let path, let name):
            "\(path) holds a certificate that may not sign others (\(name ?? "without a name")): "
                + "name the authority's own."
        }
    }
}
