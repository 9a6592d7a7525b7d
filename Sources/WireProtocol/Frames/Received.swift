package import TransferCommon

/// Bytes of a part have arrived at the gateway; volatile, for flow control (specification §4.13, §7.2).
package struct Received: Equatable, Sendable {
    package let part: PartNumber
    /// The gateway has all bytes of the part below it.
    package let received: ByteOffset
    /// The agent may send bytes of the part below it; never lower than before.
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
