import COpenSSL

/// Why a TLS peer ends a connection, as it says itself (RFC 8446, 6).
package struct TLSAlert: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// The two sides have nothing in common, or the peer's application refused.
    package static let handshakeFailure = TLSAlert(rawValue: 40)

    /// An agent says so where the gateway is not the one that it was told to expect; a gateway, where a certificate's
    /// dates have not begun, by its clock.
    package static let badCertificate = TLSAlert(rawValue: 42)

    /// The certificate's dates are over, by the peer's clock.
    package static let certificateExpired = TLSAlert(rawValue: 45)

    /// A gateway says so where it does not know the device, or the device's authority.
    package static let unknownAuthority = TLSAlert(rawValue: 48)
    package static let protocolVersion = TLSAlert(rawValue: 70)
    package static let certificateRequired = TLSAlert(rawValue: 116)
    package static let noApplicationProtocol = TLSAlert(rawValue: 120)
}

extension TLSAlert: CustomStringConvertible {
    /// OpenSSL's words for it, and the number.
    package var description: String {
        guard let text = SSL_alert_desc_string_long(Int32(rawValue)) else { return "alert \(rawValue)" }
        return "\(String(cString: text)) (alert \(rawValue))"
    }
}
