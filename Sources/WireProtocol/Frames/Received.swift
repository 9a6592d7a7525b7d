package import TransferCommon

/// The gateway has received bytes of a part. The frame serves flow control only: the bytes are not stored yet and may
/// be lost (specification §4.13, §7.2).
package struct Received: Hashable, Sendable {
    package let part: PartNumber
    /// The gateway holds all bytes of the part before this offset.
    package let received: ByteOffset
    /// The agent may send the bytes of the part before this offset. The limit never decreases.
    package let limit: ByteOffset

    package init(part: PartNumber, received: ByteOffset, limit: ByteOffset) {
        self.part = part
        self.received = received
        self.limit = limit
    }
}

extension Received: FrameBody {
    static var type: FrameType { .received }

    func encode(into writer: inout BodyWriter) throws(WireError) {
        writer.partNumber(part)
        writer.integer(received)
        writer.integer(limit)
    }

    init(from reader: inout BodyReader) throws(WireError) {
        part = try reader.partNumber("part")
        received = try reader.integer()
        limit = try reader.integer()
    }
}
