package import TransferCommon

/// What the gateway found under the key of a PROVE (specification §4.26, §9.6). The frame closes the slot.
package enum Proven: Hashable, Sendable {
    /// The object has the size of the file, and the evidence of its content matches the root digest.
    case proven(ProvenObject, receipt: ReceiptSignature?)
    /// The key has no object.
    case absent
    /// The object has another size than the file, or the evidence of its content does not match.
    case different(ProvenObject)
    /// The object has the size of the file, but the gateway has no evidence of its content, or none that it may use.
    case unknown(ProvenObject)
}

/// The object that a PROVEN frame describes.
package struct ProvenObject: Hashable, Sendable {
    /// Size of the object in bytes.
    package let size: UInt64
    /// The evidence that the gateway has compared with the file's root digest.
    package let evidence: ContentEvidence
    /// The part size with which the evidence was computed; 0 if the evidence does not depend on a part size.
    package let partBytes: UInt64
    /// The ETag that the store returned; may be empty.
    package let etag: String
    /// The store's version id of this object; may be empty.
    package let version: String
    /// The session that wrote the object; `nil` if the store does not report it.
    package let session: SessionID?

    package init(
        size: UInt64, evidence: ContentEvidence, partBytes: UInt64, etag: String, version: String, session: SessionID?
    ) {
        self.size = size
        self.evidence = evidence
        self.partBytes = partBytes
        self.etag = etag
        self.version = version
        self.session = session
    }
}

extension ProvenObject {
    /// The values of the fields in a frame that says that there is no object.
    fileprivate static let absent = ProvenObject(
        size: 0, evidence: .none, partBytes: 0, etag: "", version: "", session: nil)

    fileprivate func encode(into writer: inout BodyWriter) throws(WireError) {
        writer.integer(size)
        try evidence.encode(into: &writer)
        writer.integer(partBytes)
        try writer.text16(etag, "etag")
        try writer.text16(version, "version")
        writer.sessionID(session ?? .zero)
    }

    /// - Parameter isMeant: whether there is an object. If not, each field must be 0 or empty.
    fileprivate init(from reader: inout BodyReader, isMeant: Bool) throws(WireError) {
        size = try reader.integer("size", isMeant: isMeant)
        evidence = try ContentEvidence(from: &reader)
        guard isMeant || evidence == .none else { throw reader.badValue("evidenceKind") }
        partBytes = try reader.integer("partBytes", isMeant: isMeant)
        etag = try reader.text16("etag", isMeant ? anyCount16 : 0...0)
        version = try reader.text16("version", isMeant ? anyCount16 : 0...0)
        let session = try reader.sessionID()
        guard isMeant || session == .zero else { throw reader.badValue("session") }
        self.session = session == .zero ? nil : session
    }
}

extension Proven: FrameBody {
    /// The header flag that says that a receipt is present.
    static let receiptFlag: UInt8 = 1 << 0

    static var type: FrameType { .proven }

    private enum Outcome: UInt8 {
        case proven = 0
        case absent = 1
        case different = 2
        case unknown = 3
    }

    var flags: UInt8 {
        if case .proven(_, receipt: .some) = self { Self.receiptFlag } else { 0 }
    }

    func encode(into writer: inout BodyWriter) throws(WireError) {
        let (outcome, object): (Outcome, ProvenObject) =
            switch self {
            case .proven(let object, _): (.proven, object)
            case .absent: (.absent, .absent)
            case .different(let object): (.different, object)
            case .unknown(let object): (.unknown, object)
            }
        writer.choice(outcome)
        try object.encode(into: &writer)
        if case .proven(_, let receipt?) = self { try writer.receipt(receipt) }
    }

    init(from reader: inout BodyReader) throws(WireError) {
        let outcome: Outcome = try reader.choice("outcome")
        let hasReceipt = reader.flags & Self.receiptFlag != 0
        guard !hasReceipt || outcome == .proven else { throw reader.badValue("outcome") }
        let object = try ProvenObject(from: &reader, isMeant: outcome != .absent)
        switch outcome {
        case .proven: self = .proven(object, receipt: hasReceipt ? try reader.receipt() : nil)
        case .absent: self = .absent
        case .different: self = .different(object)
        case .unknown: self = .unknown(object)
        }
    }
}
