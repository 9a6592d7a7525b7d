import COpenSSL
import Cryptography

extension TLSError {
    private static let entriesMax = 8

    /// Makes the error for a failed OpenSSL call: takes the cause from this thread's error queue and empties the queue.
    /// - Parameter finding: the result of `PeerVerifier`. If it is a refusal, it is the cause: OpenSSL's queue only
    ///   says that the verification failed.
    init(takingQueueAfter finding: PeerVerifier.Finding) {
        var code: Code?
        var texts = finding.reason.map { [$0] } ?? []
        // The oldest entry is the nearest to the cause. The text of an entry is constant and contains no data of the
        // peer.
        while texts.count < Self.entriesMax {
            let entry = ERR_get_error()
            guard entry != 0 else { break }
            texts.append(ERR_reason_error_string(entry).map { String(cString: $0) } ?? "error \(entry)")
            if code == nil, ERR_GET_LIB(entry) == ERR_LIB_SSL { code = Self.code(for: ERR_GET_REASON(entry)) }
        }
        OpenSSLErrorQueue.clear()
        // If no entry comes from libssl, the peer's bytes were not the cause, and the error is `.library`.
        self.init(
            finding.refusal ?? code ?? .library, reason: texts.isEmpty ? nil : texts.joined(separator: "; "),
            shown: finding.shown)
    }

    private static func code(for reason: Int32) -> Code {
        switch reason {
        case SSL_AD_REASON_OFFSET...(SSL_AD_REASON_OFFSET + 255):
            .refusedByPeer(TLSAlert(rawValue: UInt8(truncatingIfNeeded: reason - SSL_AD_REASON_OFFSET)))
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: .noCertificate
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_UNKNOWN_PROTOCOL, SSL_R_WRONG_SSL_VERSION, SSL_R_VERSION_TOO_LOW,
            SSL_R_VERSION_TOO_HIGH:
            .protocolVersion
        case SSL_R_NO_APPLICATION_PROTOCOL: .applicationProtocol
        case Int32(ERR_R_MALLOC_FAILURE), Int32(ERR_R_INTERNAL_ERROR): .library
        default: .malformed
        }
    }
}
