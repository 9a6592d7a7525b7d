import COpenSSL

/// The error if OpenSSL could not perform an operation, because it lacks the algorithm, memory or randomness.
///
/// Bytes from a peer or a file never cause this error. Invalid bytes have errors of their own (`TokenOpeningError`,
/// `IdentityError`, `TLSError`).
package struct CryptographyError: Error, Hashable {
    /// The operation that failed.
    package enum Operation: Hashable, Sendable {
        /// Finding a digest algorithm. In FIPS mode, for example, OpenSSL has no MD5.
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
        /// Making a signature, such as a receipt's.
        case sign
        /// Verifying a signature. A wrong signature is not a failure of this operation.
        case verify
        case makeTLSContext
        case makeTLSConnection
        /// Loading the certificates of a private authority.
        case loadAuthority
    }

    package let operation: Operation

    /// OpenSSL's text about the cause, if there is one. The text is constant and contains no data of the operation.
    package let reason: String?

    package init(operation: Operation, reason: String?) {
        self.operation = operation
        self.reason = reason
    }

    /// Makes the error for an operation that has just failed: takes the cause from this thread's error queue and
    /// empties the queue.
    package init(takingReasonFor operation: Operation) {
        self.init(operation: operation, reason: OpenSSLErrorQueue.takeReason())
    }
}

extension CryptographyError: CustomStringConvertible {
    package var description: String {
        "The cryptographic library could not \(attempt): \(reason ?? "it gave no reason")."
    }

    /// The sentence without the library's text.
    package var sentence: String { "The cryptographic library could not \(attempt)." }

    private var attempt: String {
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
        case .loadAuthority: "load the authority's certificates"
        }
    }
}

/// OpenSSL's error queue. Each thread has one.
///
/// After a failed OpenSSL call, the calling code empties the queue. Otherwise the next failure on the same thread would
/// report the old cause, and `SSL_get_error` would report a healthy connection as failed.
package enum OpenSSLErrorQueue {
    package static var isEmpty: Bool { ERR_peek_error() == 0 }

    /// Returns the text of the oldest entry, which is the nearest to the cause, and empties the queue.
    package static func takeReason() -> String? {
        let code = ERR_get_error()
        clear()
        guard code != 0, let text = ERR_reason_error_string(code) else { return nil }
        return String(cString: text)
    }

    /// Removes the errors of earlier calls, so that the next error in the queue comes from the next call.
    package static func clear() {
        ERR_clear_error()
    }
}
