import SecureChannel
import TransferCore

extension UploadFailure {
    /// What a TLS connection that could not be made means for every upload; `nil` where another attempt may do better.
    init?(_ error: TLSError) {
        switch error.code {
        case .unexpectedGateway(let fingerprint):
            self.init(.gatewayUntrusted, "the gateway's key is not the pinned one but \(fingerprint)")
        case .untrustedCertificate, .unexpectedName, .noCertificate:
            self.init(.gatewayUntrusted)
        case .refusedByPeer(let alert) where alert.isOfVersion:
            self.init(.versionUnsupported)
        case .refusedByPeer:
            self.init(.notAuthorised)
        case .protocolVersion, .applicationProtocol:
            self.init(.versionUnsupported)
        case .malformed:
            self.init(
                .protocolViolation,
                "what answers at the gateway's address does not speak TLS (with --plaintext there, say the same here)"
            )
        case .unknownDevice, .handshakeInterrupted, .handshakeTimedOut, .truncated, .tooMuchPending, .library:
            return nil
        }
    }
}

extension TLSAlert {
    /// Both keep the rules, and have no version in common.
    fileprivate var isOfVersion: Bool { [.protocolVersion, .noApplicationProtocol].contains(self) }
}
