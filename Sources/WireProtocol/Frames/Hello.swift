package import TransferCommon

/// The optional features that HELLO offers and WELCOME accepts. A decoder keeps unknown bits unchanged.
package struct Capabilities: OptionSet, Hashable, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// The agent may send PART DATA whose payload is an LZ4 block (§7.3).
    package static let lz4 = Capabilities(rawValue: 1 << 0)
}

/// The agent's first frame: its identity, its versions and its capabilities (specification §4.1).
package struct Hello: Hashable, Sendable {
    /// The lowest version that the agent speaks.
    package let versionMin: UInt16
    /// The highest version that the agent speaks; at least `versionMin`.
    package let versionMax: UInt16
    /// The features that the agent offers.
    package let capabilities: Capabilities
    /// SHA-256 of the device's public key (DER SubjectPublicKeyInfo).
    package var fingerprint: SHA256Digest
    package let run: RunID
    /// Fingerprints of the gateway keys that the agent has stored as pinned, at most 8. Empty if the agent trusts an
    /// authority instead, or if the connection is plain TCP.
    package let pins: [SHA256Digest]
    /// Name and version of the agent for logs, at most 255 bytes.
    package let software: String

    package init(
        versionMin: UInt16, versionMax: UInt16, capabilities: Capabilities, fingerprint: SHA256Digest, run: RunID,
        pins: [SHA256Digest] = [], software: String
    ) {
        self.versionMin = versionMin
        self.versionMax = versionMax
        self.capabilities = capabilities
        self.fingerprint = fingerprint
        self.run = run
        self.pins = pins
        self.software = software
    }
}

extension Hello: FrameBody {
    static var type: FrameType { .hello }

    func encode(into writer: inout BodyWriter) throws(WireError) {
        guard versionMin <= versionMax else { throw writer.badValue("versionMax") }
        guard pins.count <= WireLimits.pinsMax else { throw writer.badValue("pins") }
        writer.magic()
        writer.integer(versionMin)
        writer.integer(versionMax)
        writer.choice(capabilities)
        writer.sha256(fingerprint)
        writer.runID(run)
        writer.integer(UInt8(pins.count))
        for pin in pins { writer.sha256(pin) }
        try writer.text8(software, "software")
    }

    init(from reader: inout BodyReader) throws(WireError) {
        try reader.magic()
        versionMin = try reader.integer()
        versionMax = try reader.integer()
        guard versionMin <= versionMax else { throw reader.badValue("versionMax") }
        capabilities = Capabilities(rawValue: try reader.integer())
        fingerprint = try reader.sha256()
        run = try reader.runID()
        let pinsCount: UInt8 = try reader.integer()
        guard pinsCount <= WireLimits.pinsMax else { throw reader.badValue("pins") }
        pins = try reader.list(count: Int(pinsCount)) { reader throws(WireError) in try reader.sha256() }
        software = try reader.text8("software")
    }
}
