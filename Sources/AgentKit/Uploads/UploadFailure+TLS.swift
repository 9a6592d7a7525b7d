import NIOCore
import SecureChannel
import TransferCommon
package import TransferCore

extension UploadFailure {
    /// The failure with which every upload of the run ends, if TLS failed for a permanent reason; `nil` if another
    /// attempt may succeed.
    init?(_ error: TLSError) {
        switch error.code {
        case .unexpectedGateway(let fingerprint):
            self.init(
                .gatewayUntrusted,
                "the gateway's key is \(fingerprint), which is not pinned and which no pinned key has signed")
        case .untrustedCertificate:
            self.init(.gatewayUntrusted, "the gateway's certificate is not one of the authority that the home names")
        case .unexpectedName:
            self.init(
                .gatewayUntrusted, "the gateway's certificate is for another name than gateway-name in the home says")
        case .noCertificate:
            self.init(.gatewayUntrusted)
        case .refusedByPeer(let alert) where alert.isOfVersion:
            self.init(.versionUnsupported)
        case .refusedByPeer(.certificateExpired):
            self.init(.notAuthorised, "this device's certificate has expired, by the gateway's clock")
        case .refusedByPeer(.badCertificate):
            self.init(.notAuthorised, "this device's certificate is not valid yet, by the gateway's clock")
        case .refusedByPeer:
            self.init(.notAuthorised)
        case .protocolVersion, .applicationProtocol:
            self.init(.versionUnsupported)
        case .malformed:
            self.init(
                .protocolViolation,
                "the server at the gateway's address does not speak TLS (if the gateway has --plaintext, use it here)"
            )
        case .unknownDevice, .handshakeInterrupted, .handshakeTimedOut, .truncated, .tooMuchPending, .library:
            return nil
        }
    }
}

extension UploadFailure {
    /// The failure with its likely cause, if the run has ended because no gateway could be reached.
    ///
    /// - Parameters:
    ///   - reasonOfAbsence: why the last attempt to connect failed; `nil` if that is unknown.
    ///   - isPlaintext: whether connections are without TLS. A gateway that uses TLS never answers such a connection. A
    ///     failure that names the option already needs no further cause.
    package func explained(reasonOfAbsence reason: String?, isPlaintext: Bool) -> UploadFailure {
        guard kind == .unreachable else { return self }
        let explained = self == .noGateway ? reason.map { "\(cause) (\($0))" } ?? cause : cause
        guard isPlaintext, !message.utf8.contains("--plaintext".utf8) else {
            return UploadFailure(.unreachable, explained)
        }
        return UploadFailure(.unreachable, "\(explained), or it requires TLS (then leave out --plaintext)")
    }

    /// The failure with which every upload of the run ends if a connection without TLS has left this machine; `nil` if
    /// it has not.
    ///
    /// - Parameters:
    ///   - address: the address of the connected socket. A name such as `localhost` may lead to any address, so the
    ///     text of the setting does not decide.
    ///   - host: the host of the setting, for the message.
    package init?(withoutTLSTo address: String?, host: String) {
        let address = address ?? "an unknown address"
        guard !LoopbackAddress.isLoopback(address: address) else { return nil }
        self.init(
            .unreachable, "\(host) leads to \(address), and --plaintext is for gateways on this machine only")
    }
}

extension AgentEvent {
    /// The event for a new connection without TLS: *connected* if it stays on this machine, *rejected* if it does not.
    static func withoutTLS(_ id: ConnectionID, to address: SocketAddress?, _ host: String) -> AgentEvent {
        UploadFailure(withoutTLSTo: address?.ipAddress, host: host).map { .rejected($0, by: id) }
            ?? .connected(id, by: nil)
    }
}

extension TLSAlert {
    fileprivate var isOfVersion: Bool { [.protocolVersion, .noApplicationProtocol].contains(self) }
}
