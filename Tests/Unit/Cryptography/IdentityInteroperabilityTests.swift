import Cryptography
import CryptographySupport
import Foundation
import TestSupport
import Testing
import WireProtocol

/// The `openssl` program reads identities that Sluice made, and Sluice reads identities that `openssl` made.
@Suite struct IdentityInteroperabilityTests {
    @Test func fingerprintHashesThePublicKey() async throws {
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

    @Test func keyMatchesCertificate() async throws {
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

    @Test func certificateIsSelfSignedAndNeverExpires() async throws {
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

    @Test(arguments: [
        (["genpkey", "-algorithm", "ED25519"], KeyType.ed25519),
        (["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], .p256),
        (["ecparam", "-name", "prime256v1", "-genkey"], .p256),
        (["ecparam", "-name", "prime256v1", "-genkey", "-noout"], .p256),
    ])
    func identityMadeByOpenSSLLoads(command: [String], keyType: KeyType) async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            try await makeKey(in: directory, command)
            try await makeCertificate(in: directory)
            let identity = try Identity.load(from: directory.directoryPath)
            #expect(identity.name == "made elsewhere")
            let type = identity.privateKey.type
            #expect(type == keyType)
        }
    }

    @Test(arguments: [
        (["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "RSA"),
        (["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"], "EC (secp384r1)"),
        (["ecparam", "-name", "secp384r1", "-genkey"], "EC (secp384r1)"),
        (["genpkey", "-algorithm", "X25519"], "X25519"),
    ])
    func keysOfOtherKindsAreRefused(command: [String], kind: String) async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            try write("no matter", to: directory.file("identity.crt"))
            try await makeKey(in: directory, command)
            let expected = IdentityError.privateKey(.unsupported(kind: kind))
            #expect(throws: expected) { try Identity.load(from: directory.directoryPath) }
            #expect(expected.description.contains("Ed25519 and P-256"))
            #expect(OpenSSLErrorQueue.isEmpty)
        }
    }

    /// Sluice has no passphrase, so the error says that the key is encrypted, for both encodings that `openssl` writes.
    @Test(arguments: [["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], ["ec", "-in"]])
    func encryptedAndDamagedKeysDiffer(command: [String]) async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            try write("no matter", to: directory.file("identity.crt"))
            var command = command
            if command[0] == "ec" {
                let plain = directory.file("plain.key")
                try await output(of: "openssl", "ecparam", "-name", "prime256v1", "-genkey", "-out", plain)
                command.append(plain)
            }
            try await makeKey(
                in: directory, command + ["-aes256", command[0] == "ec" ? "-passout" : "-pass", "pass:secret"])
            #expect(throws: IdentityError.privateKey(.encrypted)) { try Identity.load(from: directory.directoryPath) }
            #expect(OpenSSLErrorQueue.isEmpty)
        }
    }

    @Test(arguments: KeyType.allCases)
    func aSignedRequestBecomesTheCertificate(keyType: KeyType) async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let made = try Identity.create(in: directory.directoryPath, name: "Gerät 7", keyType: keyType)
            let request = directory.file("identity.csr")
            let lines = try await output(
                of: "openssl", "req", "-in", request, "-verify", "-noout", "-subject", "-nameopt", "utf8")
            #expect(lines == ["subject=CN=Gerät 7"])
            #expect(made.isSelfSigned)
            for keyOptions in [["ed25519"], ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], ["rsa:2048"]] {
                let authority = try await Authority(
                    in: directory.appending(path: keyOptions[0]), keyOptions: keyOptions)
                try await authority.sign(request, to: directory.file("identity.crt"))
                let signed = try Identity.load(from: directory.directoryPath)
                #expect(signed.fingerprint == made.fingerprint)
                #expect(signed.name == "Gerät 7")
                #expect(!signed.isSelfSigned)
                let verdict = try await output(
                    of: "openssl", "verify", "-CAfile", authority.certificatePath, directory.file("identity.crt"))
                #expect(verdict == ["\(directory.file("identity.crt")): OK"])
            }
        }
    }

    /// By default OpenSSL asks for a passphrase on the terminal and waits. The test runs in a process without a
    /// terminal, in which OpenSSL would print the question to standard error.
    @Test(.timeLimit(.minutes(5))) func encryptedKeyIsRefusedWithoutAsking() async throws {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            try await withTemporaryDirectory("secure-channel") { directory in
                let path = directory.file("identity.key")
                _ = try await output(
                    of: "openssl", "genpkey", "-out", path, "-algorithm", "ED25519", "-aes256", "-pass", "pass:secret")
                try setMode(0o600, of: path)
                try write("no matter", to: directory.file("identity.crt"))
                try #require(setsid() > 0)
                #expect(throws: IdentityError.privateKey(.encrypted)) {
                    try Identity.load(from: directory.directoryPath)
                }
                #expect(OpenSSLErrorQueue.isEmpty)
            }
        }
        let errors = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
        #expect(!errors.contains("pass phrase"))
    }

    private func makeKey(in directory: URL, _ command: [String]) async throws {
        let path = directory.file("identity.key")
        try await output(of: "openssl", command + ["-out", path])
        try setMode(0o600, of: path)
    }

    private func makeCertificate(in directory: URL) async throws {
        _ = try await output(
            of: "openssl", "req", "-x509", "-key", directory.file("identity.key"), "-out",
            directory.file("identity.crt"), "-subj", "/O=somewhere/CN=made elsewhere", "-days", "2")
    }
}
