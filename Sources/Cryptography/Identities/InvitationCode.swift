import FoundationEssentials
package import TransferCommon
import WireProtocol

/// What the operator of a gateway gives to whoever sets a device up: all that its `init` needs, in one line of text
/// (specification §5.2).
///
/// The text holds a secret. A value that is printed does not show it; only `text` does.
package struct InvitationCode: Equatable, Sendable {
    /// `HOST:PORT`, as the device reaches it.
    package let gateway: String
    /// Of the gateway's key: the secret is for nobody else.
    package let pin: Fingerprint
    package let secret: InvitationSecret

    private static let prefix = "sluice1."
    private static let checksumBytes = 4
    private static let textBytesMax = 512

    package init(gateway: String, pin: Fingerprint, secret: InvitationSecret) {
        self.gateway = gateway
        self.pin = pin
        self.secret = secret
    }

    /// The code as it is handed over: letters, digits, `.`, `-` and `_`.
    ///
    /// - Throws: where the system's library cannot compute a digest.
    package func text() throws(CryptographyError) -> String {
        let content = pin.digest.bytes + secret.bytes + Array(gateway.utf8)
        let bytes = try Self.checksum(content) + content
        let base64 = Data(bytes).base64EncodedString()
        return Self.prefix + base64.replacing("+", with: "-").replacing("/", with: "_").filter { $0 != "=" }
    }

    /// - Parameter text: what `text` gave; white space in and around it, as a mail may add, does not count.
    /// - Returns: `nil` where it is anything else, such as a code that lacks its end.
    package init?(text: String) {
        let code = text.filter { !$0.isWhitespace }
        guard code.utf8.count <= Self.textBytesMax, code.hasPrefix(Self.prefix) else { return nil }
        var base64 = String(code.dropFirst(Self.prefix.count))
        base64 = base64.replacing("-", with: "+").replacing("_", with: "/")
        base64 += String(repeating: "=", count: (4 - base64.utf8.count % 4) % 4)
        guard let bytes = Data(base64Encoded: base64).map({ Array($0) }), bytes.count > Self.checksumBytes else {
            return nil
        }
        let content = Array(bytes[Self.checksumBytes...])
        let secretStart = SHA256Digest.byteCount
        let gatewayStart = secretStart + InvitationSecret.byteCount
        guard content.count > gatewayStart, let digest = SHA256Digest(bytes: content[..<secretStart]),
            let secret = InvitationSecret(bytes: content[secretStart..<gatewayStart]),
            let gateway = String(validating: Array(content[gatewayStart...]), as: UTF8.self)
        else { return nil }
        self.init(gateway: gateway, pin: Fingerprint(digest), secret: secret)
        // Each code has one text. A digest that cannot be computed now proves nothing either.
        guard (try? self.text()) == code else { return nil }
    }

    /// Finds slips of the hand; it proves nothing.
    private static func checksum(_ content: [UInt8]) throws(CryptographyError) -> [UInt8] {
        Array(try SHA256Digest.of(content).bytes.prefix(checksumBytes))
    }
}

extension InvitationSecret {
    /// Draws a new one.
    package static func random() throws(CryptographyError) -> InvitationSecret {
        guard let secret = InvitationSecret(bytes: try SecureRandom.secretBytes(count: byteCount)) else {
            throw CryptographyError(operation: .random, reason: "the wrong number of bytes")
        }
        return secret
    }

    /// What a gateway keeps of it.
    package func digest() throws(CryptographyError) -> SHA256Digest {
        try SHA256Digest.of(bytes)
    }
}
