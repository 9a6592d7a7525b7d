import Foundation
import ObjectStore
import ObjectStoreConformance
import S3Servers
import S3Store
import TestSupport
import Testing
import TransferCommon

/// TLS to the store: which certificates the gateway trusts.
@Suite(.timeLimit(.minutes(5))) struct TrustTests {
    private func withServer(
        names: String = "DNS:localhost", _ body: (S3Server, ServerCertificate, URL) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory("trust") { directory in
            let certificate = try await ServerCertificate.make(in: directory, names: names)
            try await MotoServer.withServer(certificate: certificate) { server in
                let other = directory.appending(path: "other")
                try FileManager.default.createDirectory(at: other, withIntermediateDirectories: false)
                try await body(server, certificate, other)
            }
        }
    }

    /// Expects that the client sends nothing to a server with an untrusted certificate.
    private func expectRefusal(
        _ endpoint: String, _ authorities: String?, advice: StoreError.Advice,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let configuration = try S3Configuration(
            bucket: "bucket", endpoint: endpoint, authorities: authorities.map { try S3Authorities(file: $0) })
        let error = await #expect(throws: StoreError.self, sourceLocation: sourceLocation) {
            try await S3Store.open(configuration: configuration, credentials: anyCredentials, logger: quietLogger)
        }
        let told = error.map { String(reflecting: $0) } ?? ""
        #expect(error?.reason == .unavailable && error?.advice == advice, "\(told)", sourceLocation: sourceLocation)
        #expect(error?.sentence.contains("certificate") == true, sourceLocation: sourceLocation)
    }

    @Test func aStoreOverTLSWorksWithItsAuthority() async throws {
        try await withServer { server, certificate, _ in
            let authorities = try S3Authorities(file: certificate.authorityPath)
            try await withStore(on: server, authorities: authorities) { store in
                let subject = StoreUnderTest(store, deviations: [], keyPrefix: "tls/")
                for check in ConformanceCheck.bodies {
                    await #expect(throws: Never.self, "\(check)") { try await check.run(on: subject) }
                }
            }
        }
    }

    @Test func namedAuthorityReplacesTheSystems() async throws {
        try await withServer { server, _, directory in
            let other = try await ServerCertificate.make(in: directory)
            try await expectRefusal(server.endpoint, other.authorityPath, advice: .authority)
            try await expectRefusal(server.endpoint, nil, advice: .authority)
        }
    }

    @Test(arguments: [("DNS:localhost", "127.0.0.1"), ("DNS:elsewhere.example.org", "localhost")])
    func aCertificateOfAnotherHostIsRefused(names: String, host: String) async throws {
        try await withTemporaryDirectory("trust") { directory in
            let certificate = try await ServerCertificate.make(in: directory, names: names)
            let options = [
                "--host", "127.0.0.1", "--port", "0", "--ssl-cert", certificate.certificatePath, "--ssl-key",
                certificate.keyPath,
            ]
            try await withProgram(.tool("moto_server"), options) { program in
                let line = try await program.waitForLine { $0.contains("Running on https://127.0.0.1:") }
                let port = try #require(line.text.split(separator: ":").last)
                try await expectRefusal("https://\(host):\(port)", certificate.authorityPath, advice: .host)
            }
        }
    }

    /// A file with several certificates, a key and other text is valid; a file without a certificate is not.
    @Test func authoritiesFileNeedsACertificate() async throws {
        try await withTemporaryDirectory("trust") { directory in
            let certificate = try await ServerCertificate.make(in: directory)
            let read = { (path: String) in try String(contentsOfFile: path, encoding: .utf8) }
            let file = directory.appending(path: "file").path(percentEncoded: false)
            let text = try "words\n" + read(certificate.authorityPath) + read(certificate.certificatePath)
            try text.write(toFile: file, atomically: true, encoding: .utf8)
            _ = try S3Authorities(file: file)
            for content in ["", "words", try read(certificate.keyPath), "-----BEGIN CERTIFICATE-----\nAAAA\n"] {
                try content.write(toFile: file, atomically: true, encoding: .utf8)
                #expect(throws: S3ConfigurationError.self, "\(content)") { try S3Authorities(file: file) }
            }
            let missing = #expect(throws: S3ConfigurationError.self) { try S3Authorities(file: "\(file).missing") }
            #expect(missing?.description.contains("\(file).missing") == true, "\(missing?.description ?? "")")
        }
    }

    @Test func authoritiesGoWithTLSOnly() async throws {
        try await withTemporaryDirectory("trust") { directory in
            let certificate = try await ServerCertificate.make(in: directory)
            let authorities = try S3Authorities(file: certificate.authorityPath)
            #expect(throws: S3ConfigurationError.self) {
                try S3Configuration(bucket: "b", endpoint: "http://127.0.0.1:9000", authorities: authorities)
            }
            for endpoint in [nil, "https://s3.example.org"] {
                _ = try S3Configuration(bucket: "bucket", endpoint: endpoint, authorities: authorities)
            }
        }
    }
}
