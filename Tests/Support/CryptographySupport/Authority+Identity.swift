package import Cryptography
package import Foundation
package import TestSupport

extension Authority {
    /// Makes an identity and signs its certificate for any name.
    /// - Parameters:
    ///   - directory: the folder in which the identity gets a folder of its own.
    ///   - commonName: empty for none.
    ///   - alternativeNames: in the form of OpenSSL's configuration files (`DNS:…`); empty for none.
    package func makeIdentity(
        in directory: URL, commonName: String, alternativeNames: String = "", keyType: KeyType = .ed25519,
        validity: Validity = .now, extensions: String = ""
    ) async throws -> Identity {
        let home = directory.file(UUID().uuidString)
        try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: false)
        _ = try Identity.create(in: home, name: "not signed yet", keyType: keyType)
        try await output(
            of: "openssl", "req", "-new", "-key", "\(home)/identity.key", "-subj", "/O=somewhere/CN=\(commonName)",
            "-out", "\(home)/request")
        let names = alternativeNames.isEmpty ? "" : "subjectAltName=\(alternativeNames)\n"
        try await sign(
            "\(home)/request", to: "\(home)/identity.crt", validity: validity, extensions: names + extensions)
        return try Identity.load(from: home)
    }

    /// This authority's certificate, as an agent or a gateway loads it to trust the authority.
    package var trusted: CertificateAuthority { get throws { try CertificateAuthority.load(from: certificatePath) } }
}
