import Cryptography
import FoundationEssentials
import SystemSupport

/// The files of the site's key in a gateway's home: the present key and the announced one.
package struct SiteKeyFiles: Sendable {
    static let nextKeyFileName = "next.key"
    private static let nextCertificateFileName = "next.crt"
    static let certificateBytesMax = 16 * 1024

    let homePath: String

    var keyPath: String { homePath + "/" + Identity.keyFileName }
    var certificatePath: String { homePath + "/" + Identity.certificateFileName }
    var requestPath: String { homePath + "/" + Identity.requestFileName }

    /// Directory of the certificate's file. If `identity.crt` is a symbolic link, this is the directory of the link's
    /// target. Homes that share the certificate through a link therefore also share the announced key.
    private var sharedDirectory: String {
        URL(filePath: SharedFile.target(of: certificatePath)).deletingLastPathComponent().path
    }

    /// Path of the private key that is announced as the site's next one.
    package var nextKeyPath: String { sharedDirectory + "/" + Self.nextKeyFileName }
    /// Path of the announced key's certificate, signed by the present key.
    package var nextCertificatePath: String { sharedDirectory + "/" + Self.nextCertificateFileName }

    /// The announced certificates; `nil` if the file does not exist.
    func announced() throws -> CertificateBundle? {
        guard AtomicFile.exists(nextCertificatePath) else { return nil }
        let pem = try BoundedFile.read(nextCertificatePath, bytesMax: Self.certificateBytesMax, access: .anyone)
        guard let bundle = CertificateBundle(pem: pem) else {
            throw GatewayHomeError("\(nextCertificatePath) is not a certificate in PEM")
        }
        return bundle
    }
}
