import Foundation
import SecureChannel
import TestSupport
import Testing
import WireProtocol

/// Identities as the `openssl` program sees them, and identities that it made.
@Suite struct IdentityInteroperabilityTests {
    @Test func theFingerprintIsTheDigestOfThePublicKeyInDER() async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let identity = try Identity.create(in: directory.directoryPath, name: "gateway")
            let (publicKey, encoding) = (directory.file("key.pem"), directory.file("key.der"))
            _ = try await output(
                of: "openssl", "x509", "-in", directory.file("identity.crt"), "-pubkey", "-noout", "-out", publicKey)
            _ = try await output(
                of: "openssl", "pkey", "-pubin", "-in", publicKey, "-outform", "der", "-out", encoding)
            let line = try #require(try await output(of: "sha256sum", encoding).first)
            let digits = try #require(line.split(separator: " ").first)
            #expect(identity.fingerprint.description == "sha256:" + digits)
        }
    }

    @Test func theKeyIsTheOneInTheCertificate() async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            _ = try Identity.create(in: directory.directoryPath, name: "gateway")
            let ofKey = try await output(of: "openssl", "pkey", "-in", directory.file("identity.key"), "-pubout")
            let ofCertificate = try await output(
                of: "openssl", "x509", "-in", directory.file("identity.crt"), "-pubkey", "-noout")
            #expect(ofKey == ofCertificate)
            let text = try await output(
                of: "openssl", "pkey", "-in", directory.file("identity.key"), "-noout", "-text")
            #expect(text.first == "ED25519 Private-Key:")
            #expect(
                String(decoding: try contents(of: directory.file("identity.key")), as: UTF8.self)
                    .hasPrefix("-----BEGIN PRIVATE KEY-----\n"))
        }
    }

    @Test func theCertificateIsSignedByItselfAndValidBeyondAnyClock() async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            _ = try Identity.create(in: directory.directoryPath, name: "Gerät 7")
            let path = directory.file("identity.crt")
            let fields = try await output(
                of: "openssl", "x509", "-in", path, "-noout", "-subject", "-issuer", "-dates", "-nameopt", "utf8")
            #expect(
                fields == [
                    "subject=CN=Gerät 7", "issuer=CN=Gerät 7", "notBefore=Jan  1 00:00:00 2020 GMT",
                    "notAfter=Dec 31 23:59:59 9999 GMT",
                ])
            let verdict = try await output(of: "openssl", "verify", "-check_ss_sig", "-CAfile", path, path)
            #expect(verdict == ["\(path): OK"])
        }
    }

    @Test func anIdentityThatTheProgramMadeLoads() async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            try await makeKey(in: directory, ["ED25519"])
            try await makeCertificate(in: directory)
            let identity = try Identity.load(from: directory.directoryPath)
            #expect(identity.name == "made elsewhere")
        }
    }

    @Test(arguments: [
        ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], ["X25519"],
    ])
    func keysOfOtherAlgorithmsAreRefused(algorithm: [String]) async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            try write("no matter", to: directory.file("identity.crt"))
            try await makeKey(in: directory, algorithm)
            #expect(throws: IdentityError.privateKeyUnreadable) { try Identity.load(from: directory.directoryPath) }
            #expect(OpenSSLErrorQueue.isEmpty)
        }
    }

    /// OpenSSL's habit is to ask for a passphrase and to wait. Without a terminal, in a session of its own, a process
    /// would show the question among its errors.
    @Test(.timeLimit(.minutes(1))) func aKeyWithAPassphraseIsRefusedWithoutAsking() async throws {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            try await withTemporaryDirectory("secure-channel") { directory in
                let path = directory.file("identity.key")
                _ = try await output(
                    of: "openssl", "genpkey", "-out", path, "-algorithm", "ED25519", "-aes256", "-pass", "pass:secret")
                try setMode(0o600, of: path)
                try write("no matter", to: directory.file("identity.crt"))
                try #require(setsid() > 0)
                #expect(throws: IdentityError.privateKeyUnreadable) { try Identity.load(from: directory.directoryPath) }
                #expect(OpenSSLErrorQueue.isEmpty)
            }
        }
        let errors = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
        #expect(!errors.contains("pass phrase"))
    }

    private func makeKey(in directory: URL, _ algorithm: [String]) async throws {
        let path = directory.file("identity.key")
        let openssl = try Executable.inSearchPath("openssl")
        let program = try await run(openssl, ["genpkey", "-out", path, "-algorithm"] + algorithm)
        try #require(program.exitStatus == .exited(0), "\(program.transcript)")
        try setMode(0o600, of: path)
    }

    private func makeCertificate(in directory: URL) async throws {
        _ = try await output(
            of: "openssl", "req", "-x509", "-key", directory.file("identity.key"), "-out",
            directory.file("identity.crt"), "-subj", "/O=somewhere/CN=made elsewhere", "-days", "2")
    }
}
