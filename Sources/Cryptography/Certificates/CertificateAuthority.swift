import COpenSSL
package import SystemSupport

/// A private authority, or several, whose signature under a certificate is believed.
package final class CertificateAuthority: Sendable {
    private let bundle: CertificateBundle

    /// Longer files are refused.
    package static let fileBytesMax = 1 << 20

    /// - Parameter path: certificates in PEM, each of them of an authority: one that may sign no others would be
    ///   believed for itself, which is what pinning keys is for.
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

    /// - Parameter store: an `X509_STORE` that looks for the ends of chains among these from here on.
    /// - Returns: whether it could be done.
    package func fill(_ store: OpaquePointer) -> Bool {
        // An authority below another one is an end, too: whoever is in the file is believed.
        X509_STORE_set_flags(store, UInt(X509_V_FLAG_PARTIAL_CHAIN)) == 1
            && bundle.certificates.allSatisfy { X509_STORE_add_cert(store, $0) == 1 }
    }
}

/// An authority's file is of no use.
package enum CertificateAuthorityError: Error, Hashable {
    case file(FileError)
    /// Or one that cannot be read.
    case noCertificate(path: String)
    /// - Parameter name: of the certificate that is none of an authority.
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
