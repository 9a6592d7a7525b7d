package import TransferCommon

/// The key has an object that the session may not replace, or that the agent wants to compare with its file first
/// (specification §4.8, §6.3). The frame ends the session.
package struct SessionExists: Hashable, Sendable {
    /// Size of the object in bytes.
    package let size: UInt64
    /// The part size with which the evidence was computed; 0 if the evidence does not depend on a part size.
    package let partBytes: UInt64
    package let evidence: ContentEvidence
    /// The ETag that the store returned; may be empty.
    package let etag: String
    /// The store's version id of this object; may be empty.
    package let version: String
    /// The session that wrote the object; `nil` if the store does not report it.
    package let session: SessionID?

    package init(
        size: UInt64, partBytes: UInt64, evidence: ContentEvidence, etag: String, version: String, session: SessionID?
    ) {
        self.size = size
        self.partBytes = partBytes
        self.evidence = evidence
        self.etag = etag
        self.version = version
        self.session = session
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
        writer.integer(UInt8(session == nil ? 0 : 1))
        writer.sessionID(session ?? SessionID(high: 0, low: 0))
    }

    init(from reader: inout BodyReader) throws(WireError) {
        size = try reader.integer()
        partBytes = try reader.integer()
        evidence = try ContentEvidence(from: &reader)
        etag = try reader.text16("etag")
        version = try reader.text16("version")
        let isKnown: UInt8 = try reader.integer()
        guard isKnown <= 1 else { throw reader.badValue("sessionPresent") }
        let session = try reader.sessionID()
        guard isKnown == 1 || session == SessionID(high: 0, low: 0) else { throw reader.badValue("session") }
        self.session = isKnown == 1 ? session : nil
    }
}
