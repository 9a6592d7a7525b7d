import Cryptography
import TransferCommon
import TransferCore

/// Cryptography for the agent's state machine, by OpenSSL.
struct FileCryptography: AgentCryptography {
    func rootDigest(of partDigests: [SHA256Digest]) -> SHA256Digest? {
        // try?: if OpenSSL fails, the machine reports an internal error.
        try? RootDigest.of(partDigests)
    }

    func fingerprint(ofKey publicKey: [UInt8]) -> SHA256Digest? {
        // try?: if OpenSSL fails, the machine keeps no receipt and reports that.
        try? SHA256Digest.of(publicKey)
    }

    /// Verifies a signature on the calling thread, because the computation takes only about 100 µs.
    func isSignature(_ signature: [UInt8], of statement: [UInt8], by publicKey: [UInt8]) -> Bool {
        do {
            return try PublicKey(subjectPublicKeyInfo: publicKey).isSignature(signature, of: statement)
        } catch {
            // An unusable key, or an OpenSSL error, counts as a failed verification.
            return false
        }
    }
}
