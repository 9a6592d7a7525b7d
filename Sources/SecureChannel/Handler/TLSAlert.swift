import COpenSSL

/// The reason that a TLS peer gives for ending a connection (RFC 8446, 6).
package struct TLSAlert: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// The two sides have no common parameters, or the peer's application refused.
    package static let handshakeFailure = TLSAlert(rawValue: 40)

    /// An agent sends this alert to a gateway that is not the expected one. A gateway sends it if a certificate is not
    /// valid yet by the gateway's clock.
    package static let badCertificate = TLSAlert(rawValue: 42)

    /// The certificate has expired by the peer's clock.
    package static let certificateExpired = TLSAlert(rawValue: 45)

    /// Sent by a gateway that does not know the device or the device's authority.
    package static let unknownAuthority = TLSAlert(rawValue: 48)
    package static let protocolVersion = TLSAlert(rawValue: 70)
    package static let certificateRequired = TLSAlert(rawValue: 116)
    package static let noApplicationProtocol = TLSAlert(rawValue: 120)
}

extension TLSAlert: CustomStringConvertible {
    /// OpenSSL's text for the alert, and its number.
    package var description: String {
        guard let text = SSL_alert_desc_string_long(Int32(rawValue)) else { return "alert \(rawValue)" }
        return "\(String(cString: text)) (alert \(rawValue))"
    }
}
