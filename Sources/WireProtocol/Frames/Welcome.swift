/// The gateway's answer to HELLO: the version spoken, and the limits of this connection (specification §4.2).
package struct Welcome: Equatable, Sendable {
    /// The version spoken from here on.
    package let version: UInt16
    /// Those of the agent's capabilities that the gateway takes up.
    package let capabilities: Capabilities
    /// The highest slot number that the agent may use, from 1.
    package let slotsMax: UInt16
    /// Most plain bytes in one PART DATA, 1 to 262,144.
    package let chunkBytesMax: UInt32
    /// Plain bytes of undecided data that the agent may have sent (§7.2); 0 where every part waits for its decision.
    package let initialCreditBytes: UInt32
    /// The smallest part size, from 1.
    package let partBytesMin: UInt64
    /// The largest part size.
    package let partBytesMax: UInt64
    /// The part size where the user has named none; between the two bounds.
    package let partBytesDefault: UInt64
    /// Most parts of a session, 1 to 10,000.
    package let partsMax: UInt32
    /// Most bytes of a file.
    package let objectBytesMax: UInt64
    /// How long after the end of a connection a one-part file may still appear under its key (§9.2).
    package let putLimitMilliseconds: UInt32
    /// The gateway closes a connection on which nothing arrives for this long.
    package let idleLimitMilliseconds: UInt32
    /// Milliseconds since 1970-01-01 UTC by the gateway's clock, for log stamps only.
    package let serverTime: Int64
    /// Name and version of the gateway for logs, at most 255 bytes.
    package let software: String

    package init(
        version: UInt16, capabilities: Capabilities, slotsMax: UInt16, chunkBytesMax: UInt32,
        initialCreditBytes: UInt32, partBytesMin: UInt64, partBytesMax: UInt64, partBytesDefault: UInt64,
        partsMax: UInt32, objectBytesMax: UInt64, putLimitMilliseconds: UInt32, idleLimitMilliseconds: UInt32,
        serverTime: Int64, software: String
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
    }
}

extension Welcome: FrameBody {
    static var type: FrameType { .welcome }

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
    }

    init(from reader: inout BodyReader) throws(WireError) {
        version = try reader.integer()
        capabilities = Capabilities(rawValue: try reader.integer())
        slotsMax = try reader.integer()
        chunkBytesMax = try reader.integer()
        initialCreditBytes = try reader.integer()
        partBytesMin = try reader.integer()
        partBytesMax = try reader.integer()
        partBytesDefault = try reader.integer()
        partsMax = try reader.integer()
        objectBytesMax = try reader.integer()
        putLimitMilliseconds = try reader.integer()
        idleLimitMilliseconds = try reader.integer()
        serverTime = try reader.integer()
        software = try reader.text8("software")
        if let field = fieldOutsideItsRange { throw reader.badValue(field) }
    }

    private var fieldOutsideItsRange: String? {
        if slotsMax == 0 { return "slotsMax" }
        if !(1...WireLimits.chunkBytesMax).contains(chunkBytesMax) { return "chunkBytesMax" }
        if partBytesMin == 0 { return "partBytesMin" }
        if partBytesMax < partBytesMin { return "partBytesMax" }
        if partBytesDefault < partBytesMin || partBytesDefault > partBytesMax { return "partBytesDefault" }
        if !(1...WireLimits.partsMax).contains(partsMax) { return "partsMax" }
        return nil
    }
}
