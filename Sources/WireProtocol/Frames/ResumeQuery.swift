/// The agent asks to go on with a session, or joins a connection to it (specification §4.15, §8).
package struct ResumeQuery: Equatable, Sendable {
    /// How many parts the PART LIST frames that follow name; 0: none follow. Not compared with any limit here.
    package let listedParts: UInt32
    /// The newest that the agent has, at most 4,096 bytes.
    package let token: [UInt8]
    /// The gateway is to name the parts of which it holds the beginning (§8.1).
    package let asksForPartials: Bool
    /// COMPLETED in this slot is to carry a receipt (§9.5).
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
    /// The header's bit for `asksForPartials`.
    static let partialsFlag: UInt8 = 1 << 0
    /// The header's bit for `asksForReceipt`.
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
