package import Foundation

/// A private authority that signs certificates, made with the `openssl` program.
package struct Authority: Sendable {
    /// When a certificate is valid.
    package enum Validity: Sendable {
        case now
        case formerly
        case later
    }

    private let directory: URL
    /// Certificates that lead from this authority's to the one that is believed, its own first; empty for that one.
    private let chain: [String]

    /// - Parameters:
    ///   - directory: where its files go, to be made.
    ///   - keyOptions: of its own key, as `openssl req -newkey` takes them.
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

    /// Its certificate, PEM.
    package var certificatePath: String { path("authority.crt") }

    /// An authority that this one has signed. What that signs is written with its certificate behind it.
    package func makeAuthorityBelow(in directory: URL) async throws -> Authority {
        try await Authority(in: directory, below: self)
    }

    /// Signs a request as it is, but for what is said here.
    /// - Parameters:
    ///   - extensions: lines as a configuration file has them.
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

    /// Of the program's commands only `ca` takes a date for the beginning, and it wants a database.
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
