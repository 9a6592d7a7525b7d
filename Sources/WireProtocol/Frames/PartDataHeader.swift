package import NIOCore
package import TransferCommon

/// The fields of PART DATA before its payload (specification §4.12). The payload follows and is never collected into
/// one buffer.
package struct PartDataHeader: Hashable, Sendable {
    package let part: PartNumber
    /// Position of the chunk's first plain byte within the part. `offset` plus `plainBytes` is below 2⁶⁴.
    package let offset: ByteOffset
    /// Length of the chunk in plain (uncompressed) bytes, 1 to 262,144. WELCOME may set a smaller maximum, which this
    /// type does not check.
    package let plainBytes: UInt32
    /// Whether the payload is an LZ4 block.
    package let isCompressed: Bool
    /// Length of the payload on the wire in bytes: equal to `plainBytes`, or less if it is compressed.
    package let payloadBytes: UInt32

    package init(part: PartNumber, offset: ByteOffset, plainBytes: UInt32, isCompressed: Bool, payloadBytes: UInt32) {
        self.part = part
        self.offset = offset
        self.plainBytes = plainBytes
        self.isCompressed = isCompressed
        self.payloadBytes = payloadBytes
    }
}

extension PartDataHeader {
    /// The header flag for `isCompressed`.
    static let compressedFlag: UInt8 = 1 << 0

    /// Writes the frame's header and fields. The caller must write exactly `payloadBytes` bytes after them.
    /// - Throws: if the fields are not valid; `buffer` is then unchanged.
    package func encode(slot: Slot, into buffer: inout ByteBuffer) throws(WireError) {
        guard slot != .connection else { throw .badSlot(type: .partData, slot: slot) }
        try check()
        let header = FrameHeader(
            length: UInt32(WireLimits.partDataFieldsBytes) + payloadBytes, type: FrameType.partData.rawValue,
            flags: isCompressed ? Self.compressedFlag : 0, slot: slot)
        header.encode(into: &buffer)
        buffer.writeMultipleIntegers(part.value, offset, plainBytes)
    }

    /// - Parameter fields: the first 16 bytes of the body.
    init(header: FrameHeader, fields: ByteBuffer) throws(WireError) {
        var reader = BodyReader(type: .partData, flags: header.flags, slot: header.slot, body: fields)
        guard header.length >= UInt32(WireLimits.partDataFieldsBytes) else {
            throw .bodyTooShort(type: .partData, length: Int(header.length))
        }
        part = try reader.partNumber("part")
        offset = try reader.integer()
        plainBytes = try reader.integer()
        isCompressed = header.flags & Self.compressedFlag != 0
        payloadBytes = header.length - UInt32(WireLimits.partDataFieldsBytes)
        try check()
    }

    private func check() throws(WireError) {
        guard (1...WireLimits.chunkBytesMax).contains(plainBytes) else {
            throw .badValue(type: .partData, field: "plainBytes")
        }
        guard !offset.addingReportingOverflow(UInt64(plainBytes)).overflow else {
            throw .badValue(type: .partData, field: "offset")
        }
        if isCompressed {
            guard payloadBytes >= 1, payloadBytes < plainBytes else {
                throw .badCompression(payloadBytes: payloadBytes, plainBytes: plainBytes)
            }
            return
        }
        let length = WireLimits.partDataFieldsBytes + Int(payloadBytes)
        guard payloadBytes >= plainBytes else { throw .bodyTooShort(type: .partData, length: length) }
        guard payloadBytes == plainBytes else {
            throw .trailingBytes(type: .partData, length: length, unread: Int(payloadBytes - plainBytes))
        }
    }
}
