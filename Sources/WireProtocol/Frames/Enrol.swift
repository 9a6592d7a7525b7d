package import TransferCommon

/// A device that is on no list yet hands over its invitation, in place of HELLO (specification §4.24).
package struct Enrol: Equatable, Sendable {
    /// SHA-256 of the device's public key (DER SubjectPublicKeyInfo), which the handshake has proved.
    package let fingerprint: SHA256Digest
    /// What the gateway's operator gave away together with its address and fingerprint.
    package let secret: InvitationSecret
    /// Name and version of the agent for logs, at most 255 bytes.
    package let software: String

    package init(fingerprint: SHA256Digest, secret: InvitationSecret, software: String) {
        self.fingerprint = fingerprint
        self.secret = secret
        self.software = software
    }
}

/// The device is on the list now; the gateway closes the connection after it (specification §4.24).
package struct Enrolled: Equatable, Sendable {
    /// The name that the device list has for the device, at most 255 bytes.
    package let name: String
    /// What all its keys begin with; empty, or ending in a slash.
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
