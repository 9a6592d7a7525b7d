/// The session is open in this slot; or, adopted, is another one to resume (specification §4.7, §8.3).
package struct SessionOpened: Equatable, Sendable {
    /// The agent's, or the adopted one.
    package let session: SessionID
    package let partBytes: UInt64
    /// At most 4,096 bytes.
    package let token: [UInt8]
    /// The slot is closed again, and the session is an unfinished one that the gateway found.
    package let isAdopted: Bool

    package init(session: SessionID, partBytes: UInt64, token: [UInt8], isAdopted: Bool) {
        self.session = session
        self.partBytes = partBytes
        self.token = token
        self.isAdopted = isAdopted
    }
}

extension SessionOpened: FrameBody {
    /// The header's bit for `isAdopted`.
    static let adoptedFlag: UInt8 = 1 << 0

    static var type: FrameType { .sessionOpened }

    var flags: UInt8 { isAdopted ? Self.adoptedFlag : 0 }

    func encode(into writer: inout BodyWriter) throws(WireError) {
        writer.sessionID(session)
        writer.integer(partBytes)
        try writer.token(token)
    }

    init(from reader: inout BodyReader) throws(WireError) {
        isAdopted = reader.flags & Self.adoptedFlag != 0
        session = try reader.sessionID()
        partBytes = try reader.integer()
        token = try reader.token()
    }
}
