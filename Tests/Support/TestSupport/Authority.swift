package import Foundation

/// A private certificate authority for tests, made with the `openssl` program.
package struct Authority: Sendable {
    /// Validity period of a certificate.
    package enum Validity: Sendable {
        case now
        case formerly
        case later
    }

    private let directory: URL
    /// PEM files of the certificates from this authority up to the root, its own first; empty for the root itself.
    private let chain: [String]

    /// - Parameters:
    ///   - directory: directory for the authority's files; must not exist yet.
    ///   - keyOptions: type of the authority's key, as for `openssl req -newkey`.
    package init(in directory: URL, keyOptions: [String] = ["ed25519"]) async throws {
        self.directory = directory
        self.chain = []
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
        try await output(
            of: "openssl",
            ["req", "-x509", "-newkey"] + keyOptions + [
                "-nodes", "-keyout", path("authority.key"), "-out", certificatePath, "-subj", "/CN=authority",
                "-days", "10",
            ])
    }

    private init(in directory: URL, below parent: Authority) async throws {
        self.directory = directory
        let certificate = directory.appending(path: "authority.crt").path(percentEncoded: false)
        self.chain = [certificate] + parent.chain
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
        try await output(
            of: "openssl", "req", "-new", "-newkey", "ed25519", "-nodes", "-keyout", path("authority.key"), "-out",
            path("request"), "-subj", "/CN=an authority below")
        try await parent.sign(path("request"), to: certificate, extensions: "basicConstraints=critical,CA:TRUE")
    }

    /// Path of the authority's certificate in PEM.
    package var certificatePath: String { path("authority.crt") }

    /// Makes an intermediate authority, which this authority certifies. A file with a certificate that the intermediate
    /// signs also contains the intermediate's own certificate.
    package func makeAuthorityBelow(in directory: URL) async throws -> Authority {
        try await Authority(in: directory, below: self)
    }

    /// Signs a certificate request.
    ///
    /// - Parameters:
    ///   - extensions: X.509 extensions as lines of an OpenSSL configuration file.
    package func sign(
        _ request: String, to certificate: String, validity: Validity = .now, extensions: String = ""
    ) async throws {
        try Data((extensions + "\n").utf8).write(to: directory.appending(path: "extensions"))
        let signed = path("signed")
        switch validity {
        case .now, .formerly:
            let days = validity == .now ? "2" : "-1"
            try await output(
                of: "openssl", "x509", "-req", "-in", request, "-CA", certificatePath, "-CAkey", path("authority.key"),
                "-CAcreateserial", "-days", days, "-extfile", path("extensions"), "-out", signed)
        case .later:
            try await signForLater(request, to: signed)
        }
        let files = try ([signed] + chain).map { try Data(contentsOf: URL(filePath: $0)) }
        try files.reduce(Data(), +).write(to: URL(filePath: certificate))
    }

    /// Signs with `openssl ca`, the only command that accepts a start date. It requires a database file.
    private func signForLater(_ request: String, to certificate: String) async throws {
        let configuration = """
            [ca]
            default_ca = this
            [this]
            database = \(path("index"))
            new_certs_dir = \(directory.path(percentEncoded: false))
            rand_serial = yes
            default_md = default
            policy = any
            unique_subject = no
            [any]
            organizationName = optional
            commonName = optional
            """
        try Data(configuration.utf8).write(to: directory.appending(path: "configuration"))
        try Data().write(to: directory.appending(path: "index"))
        try await output(
            of: "openssl", "ca", "-batch", "-config", path("configuration"), "-cert", certificatePath, "-keyfile",
            path("authority.key"), "-startdate", "20900101000000Z", "-enddate", "20910101000000Z", "-notext", "-in",
            request, "-out", certificate)
    }

    private func path(_ name: String) -> String {
        directory.appending(path: name).path(percentEncoded: false)
    }
}
