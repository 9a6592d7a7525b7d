package import TransferCommon

/// The store holds the whole object (specification §4.20, §9).
package struct Completed: Hashable, Sendable {
    /// Bytes of the object.
    package let size: UInt64
    /// Evidence by which a reader can check the object's content.
    package let evidence: ContentEvidence
    package let partBytes: UInt64
    /// The ETag that the store returned; may be empty.
    package let etag: String
    /// The store's version id of this object; may be empty.
    package let version: String
    /// The object's key relative to the device's prefix; may be empty.
    package let location: String
    /// The receipt. The gateway sends one only if the frame that opened the slot asked for it, and may leave it out
    /// even then (§9.5).
    package let receipt: ReceiptSignature?

    package init(
        size: UInt64, evidence: ContentEvidence, partBytes: UInt64, etag: String, version: String, location: String,
        receipt: ReceiptSignature? = nil
    ) {
        self.size = size
        self.evidence = evidence
        self.partBytes = partBytes
        self.etag = etag
        self.version = version
        self.location = location
        self.receipt = receipt
    }
}

extension Completed: FrameBody {
    /// The header flag that says that `receipt` is present.
    static let receiptFlag: UInt8 = 1 << 0

    static var type: FrameType { .completed }

    var flags: UInt8 { receipt == nil ? 0 : Self.receiptFlag }

    func encode(into writer: inout BodyWriter) throws(WireError) {
        writer.integer(size)
        try evidence.encode(into: &writer)
        writer.integer(partBytes)
        try writer.text16(etag, "etag")
        try writer.text16(version, "version")
        try writer.text16(location, "location")
        if let receipt { try writer.receipt(receipt) }
    }

    init(from reader: inout BodyReader) throws(WireError) {
        size = try reader.integer()
        evidence = try ContentEvidence(from: &reader)
        partBytes = try reader.integer()
        etag = try reader.text16("etag")
        version = try reader.text16("version")
        location = try reader.text16("location")
        receipt = reader.flags & Self.receiptFlag == 0 ? nil : try reader.receipt()
    }
}

extension Completed {
    /// The object that this frame describes; `session` is the session that wrote it.
    package func object(of session: SessionID?) -> ProvenObject {
        ProvenObject(
            size: size, evidence: evidence, partBytes: partBytes, etag: etag, version: version, session: session)
    }
}
