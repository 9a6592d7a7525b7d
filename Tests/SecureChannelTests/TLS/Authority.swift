import Foundation
import SecureChannel
import TestSupport
import Testing

/// A private authority that signs certificates, made with the `openssl` program.
struct Authority {
    private let directory: URL
    private let openssl: Executable

    /// - Parameter directory: where its files go and those of the identities; there is one authority in it.
    init(in directory: URL) async throws {
        self.directory = directory
        self.openssl = try Executable.inSearchPath("openssl")
        try await call([
            "req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", path("authority.key"), "-out", certificatePath,
            "-subj", "/CN=authority", "-days", "10",
        ])
    }

    var certificatePath: String { path("authority.crt") }

    /// - Parameters:
    ///   - commonName: empty for none.
    ///   - alternativeNames: as a configuration file has them (`DNS:…`); empty for none.
    ///   - days: less than 0 for one that has expired.
    func makeIdentity(
        commonName: String, alternativeNames: String = "", days: Int = 2
    ) async throws -> Identity {
        let home = path(UUID().uuidString)
        try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: false)
        _ = try Identity.create(in: home, name: "not signed yet")
        try await call([
            "req", "-new", "-key", "\(home)/identity.key", "-subj", "/O=somewhere/CN=\(commonName)", "-out",
            "\(home)/request",
        ])
        let extensions = alternativeNames.isEmpty ? "" : "subjectAltName=\(alternativeNames)\n"
        try Data(extensions.utf8).write(to: URL(filePath: "\(home)/extensions"))
        try await call([
            "x509", "-req", "-in", "\(home)/request", "-CA", certificatePath, "-CAkey", path("authority.key"),
            "-CAcreateserial", "-days", "\(days)", "-extfile", "\(home)/extensions", "-out", "\(home)/identity.crt",
        ])
        return try Identity.load(from: home)
    }

    private func call(_ arguments: [String]) async throws {
        let program = try await run(openssl, arguments)
        try #require(program.exitStatus == .exited(0), "\(program.transcript)")
    }

    private func path(_ name: String) -> String {
        directory.appending(path: name).path(percentEncoded: false)
    }
}
