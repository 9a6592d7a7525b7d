package import TransferCommon

/// The gateway's answer to HELLO: the protocol version, and the limits of this connection (specification §4.2).
package struct Welcome: Hashable, Sendable {
    /// The version that both ends use from now on.
    package let version: UInt16
    /// The agent's capabilities that the gateway accepts.
    package let capabilities: Capabilities
    /// The highest slot number that the agent may use, from 1.
    package let slotsMax: UInt16
    /// Maximum number of plain bytes in one PART DATA frame, 1 to 262,144.
    package let chunkBytesMax: UInt32
    /// Maximum number of plain bytes that the agent may send before the gateway has decided about their parts (§7.2).
    /// With 0 the agent sends no byte of a part before the decision about that part.
    package let initialCreditBytes: UInt32
    /// The smallest part size, from 1.
    package let partBytesMin: UInt64
    /// The largest part size.
    package let partBytesMax: UInt64
    /// The part size if the user has chosen none. It is between `partBytesMin` and `partBytesMax`.
    package let partBytesDefault: UInt64
    /// Maximum number of parts of a session, 1 to 10,000.
    package let partsMax: UInt32
    /// Maximum size of a file in bytes.
    package let objectBytesMax: UInt64
    /// For this many milliseconds after the connection has ended, a one-part file may still appear under its key
    /// (§9.2).
    package let putLimitMilliseconds: UInt32
    /// The gateway closes a connection from which it has received no bytes for this many milliseconds.
    package let idleLimitMilliseconds: UInt32
    /// Milliseconds since 1970-01-01 UTC by the gateway's clock. To be used only for the times in logs.
    package let serverTime: Int64
    /// Name and version of the gateway for logs, at most 255 bytes.
    package let software: String
    /// The device's name at the gateway, at most 255 bytes. Receipts contain it.
    package let deviceName: String
    /// Prefix of all keys of the device: empty, or ending in a slash.
    package let prefix: String
    /// Identifies the store that holds the objects (§11.3).
    package let storeIdentity: SHA256Digest
    /// The public key (DER SubjectPublicKeyInfo) that signs receipts on this connection, at most 256 bytes. Empty if
    /// the gateway makes no receipts.
    package let receiptKey: [UInt8]
    /// The fingerprint of the site's announced next key; `nil` if no key is announced (§5.1).
    package let nextSiteKey: SHA256Digest?

    package init(
        version: UInt16, capabilities: Capabilities, slotsMax: UInt16, chunkBytesMax: UInt32,
        initialCreditBytes: UInt32, partBytesMin: UInt64, partBytesMax: UInt64, partBytesDefault: UInt64,
        partsMax: UInt32, objectBytesMax: UInt64, putLimitMilliseconds: UInt32, idleLimitMilliseconds: UInt32,
        serverTime: Int64, software: String, deviceName: String, prefix: String, storeIdentity: SHA256Digest,
        receiptKey: [UInt8] = [], nextSiteKey: SHA256Digest? = nil
    ) {
        self.version = version
        self.capabilities = capabilities
        self.slotsMax = slotsMax
        self.chunkBytesMax = chunkBytesMax
        self.initialCreditBytes = initialCreditBytes
        self.partBytesMin = partBytesMin
        self.partBytesMax = partBytesMax
        self.partBytesDefault = partBytesDefault
        self.partsMax = partsMax
        self.objectBytesMax = objectBytesMax
        self.putLimitMilliseconds = putLimitMilliseconds
        self.idleLimitMilliseconds = idleLimitMilliseconds
        self.serverTime = serverTime
        self.software = software
        self.deviceName = deviceName
        self.prefix = prefix
        self.storeIdentity = storeIdentity
        self.receiptKey = receiptKey
        self.nextSiteKey = nextSiteKey
    }
}

extension Welcome: FrameBody {
    /// The header flag that says that `nextSiteKey` is present.
    static let nextSiteKeyFlag: UInt8 = 1 << 0

    static var type: FrameType { .welcome }

    var flags: UInt8 { nextSiteKey == nil ? 0 : Self.nextSiteKeyFlag }

    func encode(into writer: inout BodyWriter) throws(WireError) {
        if let field = fieldOutsideItsRange { throw writer.badValue(field) }
        writer.integer(version)
        writer.choice(capabilities)
        writer.integer(slotsMax)
        writer.integer(chunkBytesMax)
        writer.integer(initialCreditBytes)
        writer.integer(partBytesMin)
        writer.integer(partBytesMax)
        writer.integer(partBytesDefault)
        writer.integer(partsMax)
        writer.integer(objectBytesMax)
        writer.integer(putLimitMilliseconds)
        writer.integer(idleLimitMilliseconds)
        writer.integer(serverTime)
        try writer.text8(software, "software")
        try writer.text8(deviceName, "deviceName")
        try writer.text16(prefix, "prefix")
        writer.sha256(storeIdentity)
        try writer.bytes16(receiptKey, "receiptKey", 0...WireLimits.receiptKeyBytesMax)
        if let nextSiteKey { writer.sha256(nextSiteKey) }
    }

    // Check each number right after reading it: if a body has several errors, the first one has to be reported (§3).
    init(from reader: inout BodyReader) throws(WireError) {
        version = try reader.integer()
        capabilities = Capabilities(rawValue: try reader.integer())
        slotsMax = try reader.integer()
        guard slotsMax >= 1 else { throw reader.badValue("slotsMax") }
        chunkBytesMax = try reader.integer()
        guard (1...WireLimits.chunkBytesMax).contains(chunkBytesMax) else { throw reader.badValue("chunkBytesMax") }
        initialCreditBytes = try reader.integer()
        partBytesMin = try reader.integer()
        guard partBytesMin >= 1 else { throw reader.badValue("partBytesMin") }
        partBytesMax = try reader.integer()
        guard partBytesMax >= partBytesMin else { throw reader.badValue("partBytesMax") }
        partBytesDefault = try reader.integer()
        guard (partBytesMin...partBytesMax).contains(partBytesDefault) else {
            throw reader.badValue("partBytesDefault")
        }
        partsMax = try reader.integer()
        guard (1...WireLimits.partsMax).contains(partsMax) else { throw reader.badValue("partsMax") }
        objectBytesMax = try reader.integer()
        putLimitMilliseconds = try reader.integer()
        idleLimitMilliseconds = try reader.integer()
        serverTime = try reader.integer()
        software = try reader.text8("software")
        deviceName = try reader.text8("deviceName")
        prefix = try reader.text16("prefix")
        storeIdentity = try reader.sha256()
        receiptKey = try reader.bytes16("receiptKey", 0...WireLimits.receiptKeyBytesMax)
        nextSiteKey = reader.flags & Self.nextSiteKeyFlag == 0 ? nil : try reader.sha256()
    }

    private var fieldOutsideItsRange: String? {
        if slotsMax == 0 { return "slotsMax" }
        if !(1...WireLimits.chunkBytesMax).contains(chunkBytesMax) { return "chunkBytesMax" }
        if partBytesMin == 0 { return "partBytesMin" }
        if partBytesMax < partBytesMin { return "partBytesMax" }
        if !(partBytesMin...partBytesMax).contains(partBytesDefault) { return "partBytesDefault" }
        if !(1...WireLimits.partsMax).contains(partsMax) { return "partsMax" }
        return nil
    }
}
