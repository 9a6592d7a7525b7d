package import Cryptography

/// A TLS connection could not be made, or ended otherwise than it should.
///
/// The description names the cause and holds nothing that the peer chose freely. `String(reflecting:)` adds OpenSSL's
/// own words, for logs.
package struct TLSError: Error, Hashable {
    /// What went wrong.
    package enum Code: Hashable, Sendable {
        /// The peer sent this alert: what is wrong in its eyes is something of ours.
        case refusedByPeer(TLSAlert)
        /// The device showed no certificate.
        case noCertificate
        /// The gateway has shown this key, which is not pinned, and no certificates that lead to a pinned one.
        case unexpectedGateway(Fingerprint)
        /// The device proved that it has this key, and `accepts` said no.
        case unknownDevice(Fingerprint)
        /// No path leads from the peer's certificate to the authority; the reason says why.
        case untrustedCertificate
        /// The authority vouches for the certificate, but it is not for the gateway that we look for.
        case unexpectedName
        /// The peer does not speak TLS 1.3.
        case protocolVersion
        /// The peer does not ask for the application protocol, or chose another.
        case applicationProtocol
        /// The peer's bytes are no TLS, break its rules, or were changed on the way.
        case malformed
        /// The connection ended before the handshake did.
        case handshakeInterrupted
        case handshakeTimedOut
        /// The connection ended without the peer's saying so: what came last may be missing.
        case truncated
        /// More was written before the end of the handshake than `TLSLimits.pendingBytesMax`.
        case tooMuchPending
        /// OpenSSL failed for want of something of our own.
        case library
    }

    /// Whose doing it is.
    package enum Fault: Hashable, Sendable {
        /// The peer broke the rules or is not who it should be.
        case peer
        /// Both keep the rules, but to different ends: versions, protocols, or we are not who the peer expects.
        case disagreement
        case connection
        case ourselves
    }

    package let code: Code

    /// OpenSSL's texts, the first nearest to the cause, where it left any.
    package let reason: String?

    package init(_ code: Code, reason: String? = nil) {
        self.code = code
        self.reason = reason
    }

    package var fault: Fault {
        switch code {
        case .noCertificate, .unexpectedGateway, .unknownDevice, .untrustedCertificate, .unexpectedName, .malformed:
            .peer
        case .refusedByPeer, .protocolVersion, .applicationProtocol: .disagreement
        case .handshakeInterrupted, .handshakeTimedOut, .truncated: .connection
        case .tooMuchPending, .library: .ourselves
        }
    }

    /// From a vocabulary that does not grow, for metrics.
    package var shortDescription: String {
        switch code {
        case .refusedByPeer: "refused_by_peer"
        case .noCertificate: "no_certificate"
        case .unexpectedGateway: "unexpected_gateway"
        case .unknownDevice: "unknown_device"
        case .untrustedCertificate: "untrusted_certificate"
        case .unexpectedName: "unexpected_name"
        case .protocolVersion: "protocol_version"
        case .applicationProtocol: "application_protocol"
        case .malformed: "malformed"
        case .handshakeInterrupted: "handshake_interrupted"
        case .handshakeTimedOut: "handshake_timed_out"
        case .truncated: "truncated"
        case .tooMuchPending: "too_much_pending"
        case .library: "library"
        }
    }
}

extension TLSError: CustomStringConvertible, CustomDebugStringConvertible {
    package var description: String {
        switch code {
        case .refusedByPeer(let alert): "The peer refused the TLS connection: \(alert)."
        case .noCertificate: "The peer presented no certificate."
        case .unexpectedGateway(let fingerprint):
            "The gateway's fingerprint is \(fingerprint), which is not pinned, and no pinned key has signed it."
        case .unknownDevice(let fingerprint): "The device \(fingerprint) is not known here."
        case .untrustedCertificate: "The peer's certificate is not one that the authority vouches for."
        case .unexpectedName: "The gateway's certificate is for another name than the expected one."
        case .protocolVersion: "The peer does not speak TLS 1.3."
        case .applicationProtocol: "The peer does not speak \(TLSContext.applicationProtocol)."
        case .malformed: "The peer's bytes are not valid TLS."
        case .handshakeInterrupted: "The connection ended before the TLS handshake did."
        case .handshakeTimedOut: "The TLS handshake took too long."
        case .truncated: "The connection ended without the end of the TLS stream."
        case .tooMuchPending: "Too much was written before the end of the TLS handshake."
        case .library: "The cryptographic library could not go on with the TLS connection."
        }
    }

    package var debugDescription: String {
        reason.map { "\(description) [\($0)]" } ?? description
    }
}
