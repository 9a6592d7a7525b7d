import Cryptography
import CryptographySupport
import Foundation
import RepositoryFiles
import TestSupport
import Testing
import TransferCommon
import WireProtocol

/// The receipt of the specification's vectors.
struct ReceiptVector {
    private static let folder = RepositoryFiles.root.appending(path: "Protocol/vectors")

    static let filePath = folder.file("receipt-file.txt")

    let receipt: StoredReceipt
    let siteKey: Fingerprint
    /// The 32 bytes of the private key.
    let privateKey: [UInt8]

    init() throws {
        let text = try String(contentsOf: Self.folder.appending(path: "receipt.txt"), encoding: .utf8)
        var values: [String: String] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let fields = line.split(separator: " | ", maxSplits: 1).map(String.init)
            values[fields[0]] = fields[fields.count - 1]
        }
        func bytes(_ name: String) throws -> [UInt8] { try #require(values[name].flatMap { bytesOfHexadecimal($0) }) }
        receipt = StoredReceipt(
            statement: try bytes("statement"), signature: try bytes("signature"), publicKey: try bytes("publicKey"))
        siteKey = Fingerprint(try #require(SHA256Digest(bytes: bytes("siteKey"))))
        privateKey = try bytes("privateKey")
    }

    /// The vector's key as a `PrivateKey` (PKCS#8, RFC 8410).
    func makePrivateKey() throws -> PrivateKey {
        let head: [UInt8] = [0x30, 0x2E, 2, 1, 0, 0x30, 5, 6, 3, 0x2B, 0x65, 0x70, 4, 0x22, 4, 0x20]
        let base64 = Data(head + privateKey).base64EncodedString()
        return try PrivateKey(pem: Array("-----BEGIN PRIVATE KEY-----\n\(base64)\n-----END PRIVATE KEY-----\n".utf8))
    }
}

/// The shell commands with which the specification (§9.5) verifies the receipt in a file `r`.
func specifiedCommands() throws -> [String] {
    let path = RepositoryFiles.root.appending(path: "Protocol/specification.md")
    let lines = try String(contentsOf: path, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false)
    let start = try #require(lines.firstIndex { $0.hasPrefix("With OpenSSL 3, for a file `r`") })
    let commands = lines[start...].drop { $0 != "```sh" }.dropFirst().prefix { $0 != "```" }
    return commands.map(String.init)
}

/// The vector's statement, signed by this identity.
func makeReceipt(by identity: Identity, certificates: [[UInt8]] = []) throws -> StoredReceipt {
    var statement = try ReceiptVector().receipt.content()
    statement.siteKey = identity.fingerprint.digest
    let bytes = try statement.encoded()
    return StoredReceipt(
        statement: bytes, signature: try identity.signature(of: bytes), publicKey: try identity.publicKey(),
        certificates: certificates)
}

/// Why the receipt is invalid; `nil` if it is valid.
func refusal(of receipt: StoredReceipt, trusting trust: ReceiptTrust = .anyKey) -> ReceiptError? {
    do throws(ReceiptError) {
        _ = try receipt.verified(trusting: trust)
        return nil
    } catch {
        return error
    }
}
