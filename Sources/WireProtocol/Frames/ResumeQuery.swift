/// The agent resumes a session, or attaches one more connection to it (specification §4.15, §8).
package struct ResumeQuery: Hashable, Sendable {
    /// Total number of parts in the PART LIST frames that follow; 0 if no PART LIST follows. This type does not check
    /// the number.
    package let listedParts: UInt32
    /// The newest token that the agent has for the session, at most 4,096 bytes.
    package let token: [UInt8]
    /// Whether the gateway should list the partial parts that it holds (§8.1).
    package let asksForPartials: Bool
    /// Whether the agent asks for a receipt in COMPLETED (§9.5).
    package let asksForReceipt: Bool

    package init(
        listedParts: UInt32, token: [UInt8], asksForPartials: Bool = false, asksForReceipt: Bool = false
    ) {
        self.listedParts = listedParts
        self.token = token
        self.asksForPartials = asksForPartials
        self.asksForReceipt = asksForReceipt
    }
}

extension ResumeQuery: FrameBody {
    /// The header flag for `asksForPartials`.
    static let partialsFlag: UInt8 = 1 << 0
    /// The header flag for `asksForReceipt`.
    static let receiptFlag: UInt8 = 1 << 1

    static var type: FrameType { .resumeQuery }

    var flags: UInt8 { (asksForPartials ? Self.partialsFlag : 0) | (asksForReceipt ? Self.receiptFlag : 0) }

    func encode(into writer: inout BodyWriter) throws(WireError) {
        writer.integer(listedParts)
        try writer.token(token)
    }

    init(from reader: inout BodyReader) throws(WireError) {
        asksForPartials = reader.flags & Self.partialsFlag != 0
        asksForReceipt = reader.flags & Self.receiptFlag != 0
        listedParts = try reader.integer()
        token = try reader.token()
    }
}
