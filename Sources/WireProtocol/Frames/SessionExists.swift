/// An object of the same size is under the key; the agent decides by its evidence (specification §4.8, §6.3).
package struct SessionExists: Equatable, Sendable {
    /// Bytes of the object under the key.
    package let size: UInt64
    /// The part size that the evidence depends on; 0 where it depends on none.
    package let partBytes: UInt64
    package let evidence: ContentEvidence
    /// As the store gave it; may be empty.
    package let etag: String
    /// The store's name for this version of the object; may be empty.
    package let version: String

    package init(size: UInt64, partBytes: UInt64, evidence: ContentEvidence, etag: String, version: String) {
        self.size = size
        self.partBytes = partBytes
        self.evidence = evidence
        self.etag = etag
        self.version = version
    }
}

extension SessionExists: FrameBody {
    static var type: FrameType { .sessionExists }

    func encode(into writer: inout BodyWriter) throws(WireError) {
        writer.integer(size)
        writer.integer(partBytes)
        try evidence.encode(into: &writer)
        try writer.text16(etag, "etag")
        try writer.text16(version, "version")
    }

    init(from reader: inout BodyReader) throws(WireError) {
        size = try reader.integer()
        partBytes = try reader.integer()
        evidence = try ContentEvidence(from: &reader)
        etag = try reader.text16("etag")
        version = try reader.text16("version")
    }
}
