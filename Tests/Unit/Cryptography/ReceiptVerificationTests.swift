import Cryptography
import CryptographySupport
import Foundation
import SeededRandom
import TestSupport
import Testing
import TransferCommon
import WireProtocol

/// Signing and verifying receipts (specification §9.5).
@Suite struct ReceiptVerificationTests {
    @Test func theVectorVerifies() throws {
        let vector = try ReceiptVector()
        for trust in [ReceiptTrust.anyKey, .keys([vector.siteKey])] {
            let verified = try vector.receipt.verified(trusting: trust)
            #expect(verified.key == vector.siteKey)
            #expect(verified.statement.key == "site-a/camera/2026-01-01.mp4")
        }
        #expect(OpenSSLErrorQueue.isEmpty)
    }

    /// An Ed25519 signature is determined by key and content, so signing the vector again must give the same bytes.
    @Test func vectorKeyGivesTheVectorSignature() throws {
        let vector = try ReceiptVector()
        let key = try vector.makePrivateKey()
        #expect(try key.signature(of: vector.receipt.statement) == vector.receipt.signature)
    }

    @Test(arguments: KeyType.allCases)
    func aReceiptOfAnIdentityVerifies(keyType: KeyType) async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let identity = try Identity.create(in: directory.directoryPath, name: "site", keyType: keyType)
            let receipt = try makeReceipt(by: identity)
            #expect(receipt.publicKey.count <= StoredReceipt.publicKeyBytesMax)
            #expect(receipt.signature.count <= StoredReceipt.signatureBytesMax)
            #expect(try receipt.verified(trusting: .keys([identity.fingerprint])).key == identity.fingerprint)
            let other = try ReceiptVector().siteKey
            #expect(refusal(of: receipt, trusting: .keys([other])) == .untrustedKey(identity.fingerprint))
            #expect(refusal(of: receipt, trusting: .keys([])) == .untrustedKey(identity.fingerprint))
        }
    }

    @Test(arguments: KeyType.allCases)
    func noChangedByteVerifies(keyType: KeyType) async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let identity = try Identity.create(in: directory.directoryPath, name: "site", keyType: keyType)
            let receipt = try makeReceipt(by: identity)
            for part in [\StoredReceipt.statement, \.signature, \.publicKey] {
                for place in receipt[keyPath: part].indices {
                    for value: UInt8 in [1, 0x80] {
                        var changed = receipt
                        changed[keyPath: part][place] ^= value
                        #expect(refusal(of: changed) != nil, "\(part) \(place)")
                    }
                }
            }
            #expect(OpenSSLErrorQueue.isEmpty)
        }
    }

    @Test func everyFieldIsSigned() throws {
        let vector = try ReceiptVector().receipt
        let statement = try vector.content()
        let changes: [(String, (inout ReceiptStatement) -> Void)] = [
            ("storeIdentity", { $0.storeIdentity = $0.siteKey }), ("device", { $0.device += "x" }),
            ("key", { $0.key = "site-a/camera/2026-01-02.mp4" }),
            ("session", { $0.session = SessionID(high: 1, low: $0.session.low) }), ("size", { $0.size += 1 }),
            ("partBytes", { $0.partBytes -= 1 }), ("evidence", { $0.evidence = .root($0.siteKey) }),
            ("evidenceKind", { if case .root(let digest) = $0.evidence { $0.evidence = .wholeDigest(digest) } }),
            ("etag", { $0.etag = "" }), ("version", { $0.version = "v2" }),
            ("time", { $0.timeMilliseconds += 1 }),
        ]
        for (field, change) in changes {
            var changed = statement
            change(&changed)
            var receipt = vector
            receipt.statement = try changed.encoded()
            #expect(receipt.statement != vector.statement, "\(field)")
            #expect(refusal(of: receipt) == .signature, "\(field)")
        }
    }

    /// The signature is valid, but the statement names another key than the one that signed it. The receipt must be
    /// refused.
    @Test func theStatementNamesItsKey() async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let identity = try Identity.create(in: directory.directoryPath, name: "site")
            let vector = try ReceiptVector()
            let receipt = StoredReceipt(
                statement: vector.receipt.statement, signature: try identity.signature(of: vector.receipt.statement),
                publicKey: try identity.publicKey())
            #expect(refusal(of: receipt) == .otherKey(named: vector.siteKey, found: identity.fingerprint))
        }
    }

    @Test func keysOfOtherKindsAndForeignBytesAreRefused() async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let key = directory.file("key.der")
            try await output(
                of: "openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384", "-out",
                directory.file("key.pem"))
            try await output(
                of: "openssl", "pkey", "-in", directory.file("key.pem"), "-pubout", "-outform", "der", "-out", key)
            var receipt = try ReceiptVector().receipt
            receipt.publicKey = try contents(of: key)
            #expect(refusal(of: receipt) == .publicKey(.unsupported(kind: "EC (secp384r1)")))
        }
        let vector = try ReceiptVector().receipt
        for bytes in [[], [0x30], vector.publicKey + [0], Array(repeating: 0x30, count: 257)] as [[UInt8]] {
            var receipt = vector
            receipt.publicKey = bytes
            #expect(refusal(of: receipt) == .publicKey(.unreadable))
            receipt = vector
            receipt.signature = bytes
            #expect(refusal(of: receipt) == .signature)
            receipt = vector
            receipt.statement = bytes
            #expect(refusal(of: receipt) == .statement(.unknownPurpose))
        }
        #expect(OpenSSLErrorQueue.isEmpty)
    }

    @Test(arguments: 1...200 as ClosedRange<UInt64>) func arbitraryBytesAreRefused(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var receipt = try ReceiptVector().receipt
        receipt.publicKey = generator.bytes(count: Int.random(in: 0...200, using: &generator))
        receipt.signature = generator.bytes(count: Int.random(in: 0...100, using: &generator))
        #expect(refusal(of: receipt) != nil)
        let fields = generator.bytes(count: Int.random(in: 0...300, using: &generator))
        receipt.statement = ReceiptStatement.purpose + fields
        #expect(refusal(of: receipt) != nil)
        #expect(OpenSSLErrorQueue.isEmpty)
    }

    /// Users may have a site's key as a public key, as a certificate, or as hexadecimal digits.
    @Test(arguments: KeyType.allCases)
    func fingerprintIsReadFromPEM(keyType: KeyType) async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let identity = try Identity.create(in: directory.directoryPath, name: "site", keyType: keyType)
            let certificate = try contents(of: directory.file("identity.crt"))
            #expect(try Fingerprint(pem: certificate) == identity.fingerprint)
            let publicKey = directory.file("public.pem")
            try await output(
                of: "openssl", "x509", "-in", directory.file("identity.crt"), "-pubkey", "-noout", "-out", publicKey)
            #expect(try Fingerprint(pem: contents(of: publicKey)) == identity.fingerprint)
            for other in ["", "nonsense", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"] {
                #expect(throws: PublicKeyError.unreadable) { try Fingerprint(pem: Array(other.utf8)) }
            }
            #expect(throws: PublicKeyError.unreadable) {
                try Fingerprint(pem: contents(of: directory.file("identity.key")))
            }
            #expect(OpenSSLErrorQueue.isEmpty)
        }
    }
}

@Suite struct ReceiptAuthorityTests {
    private static let name = "gateway.example.org"

    private func makeReceipt(
        by authority: Authority, in directory: URL, validity: Authority.Validity = .now
    ) async throws -> StoredReceipt {
        let home = directory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: home, withIntermediateDirectories: false)
        _ = try Identity.create(in: home.directoryPath, name: Self.name)
        try await authority.sign(home.file("identity.csr"), to: home.file("identity.crt"), validity: validity)
        let identity = try Identity.load(from: home.directoryPath)
        let bundle = try #require(CertificateBundle(pem: contents(of: home.file("identity.crt"))))
        var statement = try ReceiptVector().receipt.content()
        statement.siteKey = identity.fingerprint.digest
        statement.timeMilliseconds = Int64(Date().timeIntervalSince1970 * 1_000)
        let bytes = try statement.encoded()
        return StoredReceipt(
            statement: bytes, signature: try identity.signature(of: bytes), publicKey: try identity.publicKey(),
            certificates: try bundle.der())
    }

    @Test func certificatesLeadToTheAuthority() async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let authority = try await Authority(in: directory.appending(path: "authority"))
            let below = try await authority.makeAuthorityBelow(in: directory.appending(path: "below"))
            let other = try await Authority(in: directory.appending(path: "other"))
            for signer in [authority, below] {
                let receipt = try await makeReceipt(by: signer, in: directory)
                let trust = ReceiptTrust.authority(try authority.trusted, gatewayName: Self.name)
                #expect(try receipt.verified(trusting: trust).key.digest == receipt.content().siteKey)
                let device = ReceiptTrust.authority(try authority.trusted, gatewayName: "camera-7")
                #expect(refusal(of: receipt, trusting: device) == .untrustedCertificate(.otherName))
                let foreign = ReceiptTrust.authority(try other.trusted, gatewayName: Self.name)
                guard case .untrustedCertificate(.refused) = refusal(of: receipt, trusting: foreign) else {
                    Issue.record("another authority is believed")
                    continue
                }
                var changed = receipt
                changed.certificates = []
                #expect(refusal(of: changed, trusting: trust) == .untrustedCertificate(.missing))
                changed.certificates = [[1, 2, 3]]
                #expect(refusal(of: changed, trusting: trust) == .untrustedCertificate(.unreadable))
                changed.certificates = Array(repeating: receipt.certificates[0], count: 17)
                #expect(refusal(of: changed, trusting: trust) == .untrustedCertificate(.unreadable))
                changed.certificates = try await makeReceipt(by: authority, in: directory).certificates
                #expect(refusal(of: changed, trusting: trust) == .untrustedCertificate(.otherKey))
            }
            #expect(OpenSSLErrorQueue.isEmpty)
        }
    }

    /// The time in a receipt comes from the gateway's clock. The gateway's certificate must have been valid at that
    /// time.
    @Test(arguments: [Authority.Validity.formerly, .later])
    func certificateMustBeValidAtReceiptTime(validity: Authority.Validity) async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let authority = try await Authority(in: directory.appending(path: "authority"))
            let receipt = try await makeReceipt(by: authority, in: directory, validity: validity)
            guard
                case .untrustedCertificate(.refused(let reason)) = refusal(
                    of: receipt, trusting: .authority(try authority.trusted, gatewayName: Self.name))
            else {
                Issue.record("a certificate is believed that was not valid")
                return
            }
            #expect(reason.contains("expired") || reason.contains("not yet valid"), "\(reason)")
        }
    }
}
