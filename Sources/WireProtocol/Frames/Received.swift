package import TransferCommon

/// The gateway has received bytes of a part. They are volatile; the frame serves flow control (specification §4.13,
/// §7.2).
package struct Received: Hashable, Sendable {
    package let part: PartNumber
    /// The gateway holds all bytes of the part below this offset.
    package let received: ByteOffset
    /// The agent may send bytes of the part below this offset. It never decreases.
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
