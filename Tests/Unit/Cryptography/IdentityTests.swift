import Cryptography
import CryptographySupport
import Foundation
import SystemSupport
import TestSupport
import Testing
import WireProtocol

@Suite struct IdentityTests {
    @Test(arguments: KeyType.allCases)
    func aCreatedIdentityLoads(keyType: KeyType) async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let created = try Identity.create(in: directory.directoryPath, name: "gateway", keyType: keyType)
            let loaded = try Identity.load(from: directory.directoryPath)
            #expect(loaded.fingerprint == created.fingerprint)
            #expect(loaded.name == "gateway")
            let kept = loaded.privateKey.type
            #expect(kept == keyType)
            #expect(try directory.names() == ["identity.crt", "identity.csr", "identity.key"])
            #expect(OpenSSLErrorQueue.isEmpty)
        }
    }

    @Test func onlyTheOwnerCanReadTheKey() async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            _ = try Identity.create(in: directory.directoryPath, name: "gateway")
            #expect(try mode(of: directory.file("identity.key")) == 0o600)
            #expect(try mode(of: directory.file("identity.crt")) == 0o644)
            #expect(try mode(of: directory.file("identity.csr")) == 0o644)
        }
    }

    @Test func noTwoIdentitiesAreEqual() async throws {
        try await withTemporaryDirectory("secure-channel") { first in
            try await withTemporaryDirectory("secure-channel") { second in
                let fingerprints = (
                    try Identity.create(in: first.directoryPath, name: "same").fingerprint,
                    try Identity.create(in: second.directoryPath, name: "same").fingerprint
                )
                #expect(fingerprints.0 != fingerprints.1)
            }
        }
    }

    @Test(arguments: ["a", "device 7", "Gerät-Nord", String(repeating: "ä", count: 64), "a=b,c/d+e\"f\\"])
    func theNameIsKeptAsItIs(name: String) async throws {
        try await withTemporaryDirectory("secure-channel") { directory throws in
            #expect(try Identity.create(in: directory.directoryPath, name: name).name == name)
            #expect(try Identity.load(from: directory.directoryPath).name == name)
        }
    }

    @Test(arguments: ["", String(repeating: "a", count: 65), "a\nb", "a\0b", "\u{7F}", "a\u{85}"])
    func invalidNameWritesNothing(name: String) async throws {
        try await withTemporaryDirectory("secure-channel") { directory throws in
            #expect(throws: IdentityError.nameUnusable) { try Identity.create(in: directory.directoryPath, name: name) }
            #expect(try directory.names() == [])
        }
    }

    @Test(arguments: [["identity.key", "identity.crt"], ["identity.key"], ["identity.crt"], ["identity.csr"]])
    func existingFilesAreNotOverwritten(names: [String]) async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            for name in names { try write("precious", to: directory.file(name)) }
            let path = directory.file(names[0])
            #expect(throws: IdentityError.exists(path: path)) {
                try Identity.create(in: directory.directoryPath, name: "gateway")
            }
            #expect(try directory.names() == names.sorted())
            for name in names { #expect(try contents(of: directory.file(name)) == Array("precious".utf8)) }
        }
    }

    @Test func aMissingDirectoryIsNotMade() async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let missing = directory.file("missing")
            let cause = FileError.Cause.system(FileCall(.openFolder, missing), errno: ENOENT)
            let expected = FileError(path: missing + "/identity.crt", cause: cause)
            #expect(throws: IdentityError.file(expected)) { try Identity.create(in: missing, name: "gateway") }
        }
    }

    @Test(arguments: ["identity.key", "identity.crt"])
    func aMissingFileIsNamed(name: String) async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            _ = try Identity.create(in: directory.directoryPath, name: "gateway")
            try FileManager.default.removeItem(atPath: directory.file(name))
            let expected = FileError(FileCall(.openFile, directory.file(name)), errno: ENOENT)
            #expect(throws: IdentityError.file(expected)) { try Identity.load(from: directory.directoryPath) }
            #expect(expected.description.contains(name))
        }
    }

    @Test(arguments: [0o640, 0o604, 0o620, 0o644, 0o666])
    func keyReadableByOthersIsRefused(mode: Int) async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            _ = try Identity.create(in: directory.directoryPath, name: "gateway")
            let path = directory.file("identity.key")
            try setMode(mode, of: path)
            let expected = FileError(path: path, cause: .openToOthers(mode: UInt32(mode)))
            #expect(throws: IdentityError.file(expected)) { try Identity.load(from: directory.directoryPath) }
        }
    }

    @Test func aCertificateForAnotherKeyIsRefused() async throws {
        try await withTemporaryDirectory("secure-channel") { first in
            try await withTemporaryDirectory("secure-channel") { second in
                _ = try Identity.create(in: first.directoryPath, name: "gateway")
                _ = try Identity.create(in: second.directoryPath, name: "gateway")
                let certificate = String(decoding: try contents(of: second.file("identity.crt")), as: UTF8.self)
                try write(certificate, to: first.file("identity.crt"))
                #expect(throws: IdentityError.mismatch) { try Identity.load(from: first.directoryPath) }
                #expect(OpenSSLErrorQueue.isEmpty)
            }
        }
    }

    @Test(arguments: ["", "\n", "not PEM", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
    func filesOfOtherKindsAreRefused(text: String) async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            _ = try Identity.create(in: directory.directoryPath, name: "gateway")
            let key = String(decoding: try contents(of: directory.file("identity.key")), as: UTF8.self)
            try AtomicFile.write(Array(text.utf8), to: directory.file("identity.key"), mode: .ownerOnly)
            #expect(throws: IdentityError.privateKey(.unreadable)) { try Identity.load(from: directory.directoryPath) }
            try AtomicFile.write(Array(key.utf8), to: directory.file("identity.key"), mode: .ownerOnly)
            try write(text, to: directory.file("identity.crt"))
            #expect(throws: IdentityError.certificateUnreadable) { try Identity.load(from: directory.directoryPath) }
            #expect(OpenSSLErrorQueue.isEmpty)
        }
    }

    @Test func truncatedFilesAreRefused() async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            _ = try Identity.create(in: directory.directoryPath, name: "gateway")
            let key = try contents(of: directory.file("identity.key"))
            let certificate = try contents(of: directory.file("identity.crt"))
            // Of all truncated files, only the one that lacks just the final newline is still valid.
            for byteCount in 0..<(key.count - 1) { #expect(!isPrivateKey(Array(key[..<byteCount]))) }
            for byteCount in 0..<(certificate.count - 1) { #expect(!isCertificate(Array(certificate[..<byteCount]))) }
            #expect(isPrivateKey(key.dropLast()) && isCertificate(certificate.dropLast()))
        }
    }

    @Test func printedIdentityHidesItsKey() async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let identity = try Identity.create(in: directory.directoryPath, name: "gateway")
            var dumped = ""
            dump(identity, to: &dumped)
            let shown = "Identity(gateway, \(identity.fingerprint))"
            #expect("\(identity)" == shown)
            #expect(String(reflecting: identity) == shown)
            #expect(dumped.contains("gateway") && !dumped.contains("privateKey"))
        }
    }

    private func isPrivateKey(_ pem: [UInt8]) -> Bool {
        do {
            _ = try PrivateKey(pem: pem)
            return true
        } catch {
            return false
        }
    }

    private func isCertificate(_ pem: [UInt8]) -> Bool {
        CertificateBundle(pem: pem) != nil
    }
}
