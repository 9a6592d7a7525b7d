import COpenSSL

/// The cryptographic library could not do what it was asked: it lacks the algorithm, memory or randomness.
///
/// Never the fault of a peer's bytes: those have errors of their own (`TokenOpeningError`, `IdentityError`,
/// `TLSError`).
package struct CryptographyError: Error, Hashable {
    /// What was attempted.
    package enum Operation: Hashable, Sendable {
        /// Finding a digest algorithm; a library in FIPS mode has no MD5, for one.
        case findDigest
        case digest
        case random
        case findCipher
        case seal
        case open
        case makeKey
        case encodeKey
        case makeCertificate
        case encodeCertificate
        /// Making or encoding a request for an authority to sign.
        case makeRequest
        case readPublicKey
        /// Making a signature, as of a receipt.
        case sign
        /// Comparing a signature. One that is wrong is no failure of the library.
        case verify
        case makeTLSContext
        case makeTLSConnection
        /// Taking up the certificates of a private authority.
        case loadAuthority
    }

    package let operation: Operation

    /// The library's own constant text for the cause, where it left one. It holds no data of ours.
    package let reason: String?

    package init(operation: Operation, reason: String?) {
        self.operation = operation
        self.reason = reason
    }

    /// Takes the cause from this thread's error queue, and so leaves the queue empty.
    package init(takingReasonFor operation: Operation) {
        self.init(operation: operation, reason: OpenSSLErrorQueue.takeReason())
    }
}

extension CryptographyError: CustomStringConvertible {
    package var description: String {
        let attempt =
            switch operation {
            case .findDigest: "find the digest algorithm"
            case .digest: "compute a digest"
            case .random: "draw random bytes"
            case .findCipher: "find the cipher AES-256-GCM"
            case .seal: "seal a token"
            case .open: "open a token"
            case .makeKey: "make a private key"
            case .encodeKey: "encode a private key"
            case .makeCertificate: "make a certificate"
            case .encodeCertificate: "encode a certificate"
            case .readPublicKey: "read a certificate's public key"
            case .sign: "make a signature"
            case .verify: "compare a signature"
            case .makeTLSContext: "prepare TLS"
            case .makeTLSConnection: "prepare a TLS connection"
            case .makeRequest: "make a certificate request"
            case .loadAuthority: "take up the authority's certificates"
            }
        return "The cryptographic library could not \(attempt): \(reason ?? "it gave no reason")."
    }
}

/// OpenSSL's error queue, of which each thread has one.
///
/// Whoever sees an OpenSSL call fail empties it. What is left there would be read as the cause of the next failure on
/// the thread, and `SSL_get_error` would take it for a failure of a healthy connection.
package enum OpenSSLErrorQueue {
    package static var isEmpty: Bool { ERR_peek_error() == 0 }

    /// The oldest entry's text, which stands nearest the cause. Empties the queue.
    package static func takeReason() -> String? {
        let code = ERR_get_error()
        /// Forgets what earlier calls left, so that the next reason read is the next call's own.
        clear()
        guard code != 0, let text = ERR_reason_error_string(code) else { return nil }
        return String(cString: text)
    }

    /// Forgets what earlier calls left, so that the next reason read is the next call's own.
    package static func clear() {
        ERR_clear_error()
    }
}
