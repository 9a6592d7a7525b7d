import Foundation
import SecureChannel
import Testing
import WireProtocol

/// Identities as the `openssl` program sees them, and identities that it made.
@Suite struct IdentityInteroperabilityTests {
    @Test func theFingerprintIsTheDigestOfThePublicKeyInDER() throws {
        let directory = try TemporaryDirectory()
        let identity = try Identity.create(in: directory.path, name: "gateway")
        let publicKey = try Program.run("openssl", "x509", "-in", directory.file("identity.crt"), "-pubkey", "-noout")
        let encoding = try Program.run("openssl", "pkey", "-pubin", "-outform", "der", input: publicKey)
        let line = String(decoding: try Program.run("sha256sum", input: encoding), as: UTF8.self)
        let digits = try #require(line.split(separator: " ").first)
        #expect(identity.fingerprint.description == "sha256:" + digits)
    }

    @Test func theKeyIsTheOneInTheCertificate() throws {
        let directory = try TemporaryDirectory()
        _ = try Identity.create(in: directory.path, name: "gateway")
        let ofKey = try Program.run("openssl", "pkey", "-in", directory.file("identity.key"), "-pubout")
        let ofCertificate = try Program.run(
            "openssl", "x509", "-in", directory.file("identity.crt"), "-pubkey", "-noout")
        #expect(ofKey == ofCertificate)
        let text = try Program.run("openssl", "pkey", "-in", directory.file("identity.key"), "-noout", "-text")
        #expect(String(decoding: text, as: UTF8.self).hasPrefix("ED25519 Private-Key:"))
        #expect(
            String(decoding: try contents(of: directory.file("identity.key")), as: UTF8.self)
                .hasPrefix("-----BEGIN PRIVATE KEY-----\n"))
    }

    @Test func theCertificateIsSignedByItselfAndValidBeyondAnyClock() throws {
        let directory = try TemporaryDirectory()
        _ = try Identity.create(in: directory.path, name: "Gerät 7")
        let path = directory.file("identity.crt")
        let fields = try Program.run(
            "openssl", "x509", "-in", path, "-noout", "-subject", "-issuer", "-dates", "-nameopt", "utf8")
        #expect(
            String(decoding: fields, as: UTF8.self) == """
                subject=CN=Gerät 7
                issuer=CN=Gerät 7
                notBefore=Jan  1 00:00:00 2020 GMT
                notAfter=Dec 31 23:59:59 9999 GMT

                """)
        let verdict = try Program.run("openssl", "verify", "-check_ss_sig", "-CAfile", path, path)
        #expect(String(decoding: verdict, as: UTF8.self) == "\(path): OK\n")
    }

    @Test func anIdentityThatTheProgramMadeLoads() throws {
        let directory = try TemporaryDirectory()
        try makeKey(in: directory, "ED25519")
        try makeCertificate(in: directory)
        let identity = try Identity.load(from: directory.path)
        #expect(identity.name == "made elsewhere")
    }

    @Test(arguments: [
        ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], ["X25519"],
    ])
    func keysOfOtherAlgorithmsAreRefused(algorithm: [String]) throws {
        let directory = try TemporaryDirectory()
        try write("no matter", to: directory.file("identity.crt"))
        try makeKey(in: directory, algorithm)
        #expect(throws: IdentityError.privateKeyUnreadable) { try Identity.load(from: directory.path) }
        #expect(OpenSSLErrorQueue.isEmpty)
    }

    /// OpenSSL's habit is to ask for a passphrase and to wait. Without a terminal, in a session of its own, a process
    /// would show the question among its errors.
    @Test(.timeLimit(.minutes(1))) func aKeyWithAPassphraseIsRefusedWithoutAsking() async throws {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            let directory = try TemporaryDirectory()
            let path = directory.file("identity.key")
            _ = try Program.run(
                "openssl", "genpkey", "-out", path, "-algorithm", "ED25519", "-aes256", "-pass", "pass:secret")
            try setMode(0o600, of: path)
            try write("no matter", to: directory.file("identity.crt"))
            try #require(setsid() > 0)
            #expect(throws: IdentityError.privateKeyUnreadable) { try Identity.load(from: directory.path) }
            #expect(OpenSSLErrorQueue.isEmpty)
        }
        let errors = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
        #expect(!errors.contains("pass phrase"))
    }

    private func makeKey(in directory: borrowing TemporaryDirectory, _ algorithm: String...) throws {
        try makeKey(in: directory, algorithm)
    }

    private func makeKey(in directory: borrowing TemporaryDirectory, _ algorithm: [String]) throws {
        let path = directory.file("identity.key")
        let command = ["openssl", "genpkey", "-out", path, "-algorithm"] + algorithm
        _ = try Program.run(command)
        try setMode(0o600, of: path)
    }

    private func makeCertificate(in directory: borrowing TemporaryDirectory) throws {
        _ = try Program.run(
            "openssl", "req", "-x509", "-key", directory.file("identity.key"), "-out", directory.file("identity.crt"),
            "-subj", "/O=somewhere/CN=made elsewhere", "-days", "2")
    }
}
