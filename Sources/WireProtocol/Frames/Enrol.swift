package import TransferCommon

/// A device that is not on the device list sends its invitation instead of HELLO (specification §4.24).
package struct Enrol: Hashable, Sendable {
    /// SHA-256 of the device's public key (DER SubjectPublicKeyInfo). The TLS handshake has proved the key.
    package let fingerprint: SHA256Digest
    /// The secret from the invitation code that the gateway's operator has issued.
    package let secret: InvitationSecret
    /// Name and version of the agent for logs, at most 255 bytes.
    package let software: String

    package init(fingerprint: SHA256Digest, secret: InvitationSecret, software: String) {
        self.fingerprint = fingerprint
        self.secret = secret
        self.software = software
    }
}

/// The gateway has added the device to its list; it closes the connection after this frame (specification §4.24).
package struct Enrolled: Hashable, Sendable {
    /// The device's name on the device list, at most 255 bytes.
    package let name: String
    /// Prefix of all keys of the device: empty, or ending in a slash.
    package let prefix: String

    package init(name: String, prefix: String) {
        self.name = name
        self.prefix = prefix
    }
}

extension Enrol: FrameBody {
    static var type: FrameType { .enrol }

    func encode(into writer: inout BodyWriter) throws(WireError) {
        writer.magic()
        writer.sha256(fingerprint)
        writer.invitationSecret(secret)
        try writer.text8(software, "software")
    }

    init(from reader: inout BodyReader) throws(WireError) {
        try reader.magic()
        fingerprint = try reader.sha256()
        secret = try reader.invitationSecret()
        software = try reader.text8("software")
    }
}

extension Enrolled: FrameBody {
    static var type: FrameType { .enrolled }

    func encode(into writer: inout BodyWriter) throws(WireError) {
        try writer.text8(name, "name")
        try writer.text16(prefix, "prefix")
    }

    init(from reader: inout BodyReader) throws(WireError) {
        name = try reader.text8("name")
        prefix = try reader.text16("prefix")
    }
}
