import Cryptography
import TransferCommon
import TransferCore

/// The machine's cryptography, by the system's OpenSSL.
struct FileCryptography: AgentCryptography {
    func rootDigest(of partDigests: [SHA256Digest]) -> SHA256Digest? {
        // The machine reports a defect where the library fails; there is no better word for it.
        try? RootDigest.of(partDigests)
    }

    func fingerprint(ofKey publicKey: [UInt8]) -> SHA256Digest? {
        // Without one no receipt is kept, which is told.
        try? SHA256Digest.of(publicKey)
    }

    /// Some 100 µs: too short for a hand-over to a thread to pay.
    func isSignature(_ signature: [UInt8], of statement: [UInt8], by publicKey: [UInt8]) -> Bool {
        do {
            return try PublicKey(subjectPublicKeyInfo: publicKey).isSignature(signature, of: statement)
        } catch {
            // A key that is none has signed nothing; and what the library cannot verify is not verified.
            return false
        }
    }
}
