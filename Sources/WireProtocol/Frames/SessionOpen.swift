package import TransferCommon

/// The agent begins a session in the frame's slot (specification §4.6).
package struct SessionOpen: Hashable, Sendable {
    package let session: SessionID
    /// The metadata that the agent offers. It has not been checked; `terms` applies the rules of §6.6 to it.
    package let metadata: OfferedMetadata
    /// Whether the agent can compare an object with its file. If it can, and the key has an object of the file's size,
    /// the gateway answers with SESSION EXISTS. It does so even if the terms allow the session to replace that object.
    package let compares: Bool
    /// Whether the agent asks for a receipt in COMPLETED (§9.5).
    package let asksForReceipt: Bool
    /// The session terms. Their metadata is empty here; `metadata` has what the agent offers.
    private let otherTerms: SessionTerms

    /// - Parameter terms: the session terms, with the key relative to the device's prefix.
    package init(session: SessionID, terms: SessionTerms, compares: Bool, asksForReceipt: Bool = false) {
        self.init(
            session: session, terms: terms, metadata: terms.metadata.offered, compares: compares,
            asksForReceipt: asksForReceipt)
    }

    /// - Parameters:
    ///   - terms: the session terms, with the key relative to the device's prefix. The metadata in them is ignored.
    ///   - metadata: the offered metadata; it may break the rules of §6.6.
    package init(
        session: SessionID, terms: SessionTerms, metadata: OfferedMetadata, compares: Bool, asksForReceipt: Bool
    ) {
        self.session = session
        self.metadata = metadata
        self.compares = compares
        self.asksForReceipt = asksForReceipt
        var others = terms
        others.metadata = .none
        self.otherTerms = others
    }

    /// The session terms, with the key relative to the device's prefix.
    ///
    /// Throws if the metadata breaks a rule of §6.6; the gateway then refuses the session with `metadata_invalid`.
    package var terms: SessionTerms {
        get throws(SessionMetadataError) {
            var terms = otherTerms
            terms.metadata = try SessionMetadata(metadata)
            return terms
        }
    }
}

extension SessionOpen: FrameBody {
    /// The header flag for `compares`.
    static let comparesFlag: UInt8 = 1 << 0
    /// The header flag for `asksForReceipt`.
    static let receiptFlag: UInt8 = 1 << 1

    static var type: FrameType { .sessionOpen }

    var flags: UInt8 { (compares ? Self.comparesFlag : 0) | (asksForReceipt ? Self.receiptFlag : 0) }

    func encode(into writer: inout BodyWriter) throws(WireError) {
        let terms = otherTerms
        // On the wire this value means "unknown", so a known size must not have it.
        guard terms.size != WireLimits.unknownSize else { throw writer.badValue("size") }
        guard terms.modification.nanoseconds < WireLimits.nanosecondsPerSecond else {
            throw writer.badValue("modificationNanoseconds")
        }
        writer.sessionID(session)
        writer.integer(terms.size ?? WireLimits.unknownSize)
        writer.integer(terms.partBytes)
        writer.integer(terms.modification.seconds)
        writer.integer(terms.modification.nanoseconds)
        writer.integer(terms.condition.code)
        writer.sessionID(terms.condition.session)
        try metadata.encode(into: &writer)
        try writer.text16(terms.key, "key")
    }

    init(from reader: inout BodyReader) throws(WireError) {
        compares = reader.flags & Self.comparesFlag != 0
        asksForReceipt = reader.flags & Self.receiptFlag != 0
        session = try reader.sessionID()
        let size: UInt64 = try reader.integer()
        let partBytes: UInt64 = try reader.integer()
        let modification = ModificationTime(seconds: try reader.integer(), nanoseconds: try reader.integer())
        guard modification.nanoseconds < WireLimits.nanosecondsPerSecond else {
            throw reader.badValue("modificationNanoseconds")
        }
        let code: UInt8 = try reader.integer()
        guard code <= WriteCondition.codeMax else { throw reader.badValue("condition") }
        guard let condition = WriteCondition(code: code, session: try reader.sessionID()) else {
            throw reader.badValue("conditionSession")
        }
        metadata = try OfferedMetadata(from: &reader)
        otherTerms = SessionTerms(
            key: try reader.text16("key"), size: size == WireLimits.unknownSize ? nil : size, partBytes: partBytes,
            modification: modification, condition: condition)
    }
}
