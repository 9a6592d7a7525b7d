package import Foundation
import TestSupport

/// A server's certificate and the private authority that signed it, made with the `openssl` program.
package struct ServerCertificate: Sendable {
    private let directory: URL

    /// Path of the authority's certificate in PEM.
    package var authorityPath: String { path("authority.crt") }
    package var certificatePath: String { path("server.crt") }
    package var keyPath: String { path("server.key") }

    /// Makes an authority and a certificate.
    ///
    /// - Parameters:
    ///   - directory: an existing empty directory.
    ///   - names: in the form of a configuration file (`DNS:localhost,IP:127.0.0.1`).
    package static func make(in directory: URL, names: String = "DNS:localhost") async throws -> ServerCertificate {
        let made = ServerCertificate(directory: directory)
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        try await openssl(
            ["req", "-x509", "-keyout", made.path("authority.key"), "-out", made.authorityPath] + key
                + ["-subj", "/CN=authority", "-days", "10"])
        try await openssl(
            ["req", "-new", "-keyout", made.keyPath, "-out", made.path("request"), "-subj", "/CN=server"] + key)
        try Data("subjectAltName=\(names)\nbasicConstraints=CA:FALSE\n".utf8).write(
            to: URL(filePath: made.path("extensions")))
        try await openssl([
            "x509", "-req", "-in", made.path("request"), "-CA", made.authorityPath, "-CAkey",
            made.path("authority.key"),
            "-CAcreateserial", "-days", "2", "-extfile", made.path("extensions"), "-out", made.certificatePath,
        ])
        return made
    }

    private static func openssl(_ arguments: [String]) async throws {
        let program = try await run(.inSearchPath("openssl"), arguments)
        guard program.exitStatus == .exited(0) else { throw S3ServerFailure(description: program.transcript) }
    }

    private func path(_ name: String) -> String {
        directory.appending(path: name).path(percentEncoded: false)
    }
}
