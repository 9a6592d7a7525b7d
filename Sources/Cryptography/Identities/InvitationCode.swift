import FoundationEssentials
package import TransferCommon
import WireProtocol

/// An invitation to enrol one device: everything that `sluice-agent init` needs, in one line of text (specification
/// §5.2). The operator of a gateway hands it to the person who sets up the device.
///
/// The text contains a secret. Printing a value does not show the secret; only `text` does.
package struct InvitationCode: Equatable, Sendable {
    /// `HOST:PORT` at which the device reaches the gateway.
    package let gateway: String
    /// The fingerprint of the gateway's key. The device sends the secret to no other gateway.
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

    /// The code as text: letters, digits, `.`, `-` and `_`.
    ///
    /// - Throws: if OpenSSL cannot compute a digest.
    package func text() throws(CryptographyError) -> String {
        let content = pin.digest.bytes + secret.bytes + Array(gateway.utf8)
        let bytes = try Self.checksum(content) + content
        let base64 = Data(bytes).base64EncodedString()
        return Self.prefix + base64.replacing("+", with: "-").replacing("/", with: "_").filter { $0 != "=" }
    }

    /// - Parameter text: a code as `text()` returns it. White space in and around it is ignored, because mail programs
    ///   add some.
    /// - Returns: `nil` if the text is not a complete code.
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
        // Each code has exactly one text, so any other text is refused. try?: if the digest cannot be computed, the
        // code cannot be checked and is refused, too.
        guard (try? self.text()) == code else { return nil }
    }

    /// A checksum that shows typing errors. It does not prove who made the code.
    private static func checksum(_ content: [UInt8]) throws(CryptographyError) -> [UInt8] {
        Array(try SHA256Digest.of(content).bytes.prefix(checksumBytes))
    }
}

extension InvitationSecret {
    /// Generates a new secret.
    package static func random() throws(CryptographyError) -> InvitationSecret {
        guard let secret = InvitationSecret(bytes: try SecureRandom.secretBytes(count: byteCount)) else {
            throw CryptographyError(operation: .random, reason: "the wrong number of bytes")
        }
        return secret
    }

    /// The digest that a gateway stores instead of the secret.
    package func digest() throws(CryptographyError) -> SHA256Digest {
        try SHA256Digest.of(bytes)
    }
}
