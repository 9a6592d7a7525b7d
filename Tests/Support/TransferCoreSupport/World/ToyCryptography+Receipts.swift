package import TransferCommon
import TransferCore

/// Signatures for simulations: a digest of the key and the statement. They are easy to forge, but no party of a
/// simulation forges any.
extension ToyCryptography: AgentCryptography {
    package func fingerprint(ofKey publicKey: [UInt8]) -> SHA256Digest? { ToyDigest.sha256(publicKey) }

    package func isSignature(_ signature: [UInt8], of statement: [UInt8], by publicKey: [UInt8]) -> Bool {
        signature == Self.signature(of: statement, by: publicKey)
    }
}
