package import TransferCommon

/// The store has confirmed that it has the part. The gateway never revokes this statement (specification §4.14, §7.1).
package struct Stored: Hashable, Sendable {
    package let part: PartNumber
    /// The ETag of the stored part: opaque, 1 to 1,024 bytes.
    package let etag: String

    package init(part: PartNumber, etag: String) {
        self.part = part
        self.etag = etag
    }
}

extension Stored: FrameBody {
    static var type: FrameType { .stored }

    func encode(into writer: inout BodyWriter) throws(WireError) {
        writer.partNumber(part)
        try writer.text16(etag, "etag", 1...WireLimits.partETagBytesMax)
    }

    init(from reader: inout BodyReader) throws(WireError) {
        part = try reader.partNumber("part")
        etag = try reader.text16("etag", 1...WireLimits.partETagBytesMax)
    }
}
