package import Cryptography

/// The error of a TLS connection that could not be established or that failed later.
///
/// The description names the cause and contains no text that the peer could choose. `String(reflecting:)` adds
/// OpenSSL's texts, for logs.
package struct TLSError: Error, Hashable {
    /// The reason why the connection failed.
    package enum Code: Hashable, Sendable {
        /// The peer sent this alert, because it has found something wrong on our side.
        case refusedByPeer(TLSAlert)
        /// The device showed no certificate.
        case noCertificate
        /// The gateway has this key, which is not pinned, and presented no chain that leads to a pinned key.
        case unexpectedGateway(Fingerprint)
        /// The device has this key, and the closure `accepts` refused it.
        case unknownDevice(Fingerprint)
        /// No chain leads from the peer's certificate to the authority. `reason` has OpenSSL's explanation.
        case untrustedCertificate
        /// The authority has signed the certificate, but for another name than the gateway's.
        case unexpectedName
        /// The peer does not speak TLS 1.3.
        case protocolVersion
        /// The peer does not ask for our application protocol, or chose another one.
        case applicationProtocol
        /// The peer's bytes are not TLS, violate its rules, or were altered in transit.
        case malformed
        /// The connection ended before the handshake did.
        case handshakeInterrupted
        case handshakeTimedOut
        /// The connection ended without the peer's `close_notify`, so the last bytes of the peer may be missing.
        case truncated
        /// More than `TLSLimits.pendingBytesMax` bytes were written before the handshake was complete.
        case tooMuchPending
        /// OpenSSL itself failed, for example for lack of memory. The peer is not the cause.
        case library
    }

    /// The side that is at fault for an error.
    package enum Fault: Hashable, Sendable {
        /// The peer violated the protocol, or is not the expected peer.
        case peer
        /// Both sides follow the protocol but do not agree: they have no version or application protocol in common, or
        /// the peer refuses our identity.
        case disagreement
        case connection
        case ourselves
    }

    package let code: Code

    /// OpenSSL's texts about the cause, the nearest to the cause first; `nil` if there are none.
    package let reason: String?

    /// The certificate that the peer showed and that was refused; `nil` if the certificate is not the reason.
    package let shown: ShownCertificate?

    package init(_ code: Code, reason: String? = nil, shown: ShownCertificate? = nil) {
        self.code = code
        self.reason = reason
        self.shown = shown
    }

    /// What a refused certificate states. The peer has proved neither the key nor the name.
    package struct ShownCertificate: Hashable, Sendable {
        package let fingerprint: Fingerprint
        /// The name in the certificate; `nil` if it has none.
        package let name: String?
        /// Whether the reason is a date in the chain: a certificate has expired, or is not valid yet.
        package let isOutOfDate: Bool

        package init(fingerprint: Fingerprint, name: String?, isOutOfDate: Bool = false) {
            self.fingerprint = fingerprint
            self.name = name
            self.isOutOfDate = isOutOfDate
        }
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

    /// The code as one of a fixed set of words, for the labels of metrics.
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
        case .truncated: "The connection ended before the TLS stream was closed."
        case .tooMuchPending: "Too many bytes were written before the TLS handshake ended."
        case .library: "The cryptographic library could not continue the TLS connection."
        }
    }

    package var debugDescription: String {
        reason.map { "\(description) [\($0)]" } ?? description
    }
}
