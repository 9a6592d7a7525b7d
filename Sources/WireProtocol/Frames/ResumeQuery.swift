/// The agent asks to go on with a session, or joins a connection to it (specification §4.15, §8).
package struct ResumeQuery: Equatable, Sendable {
    /// How many parts the PART LIST frames that follow name; 0: none follow. Not compared with any limit here.
    package let listedParts: UInt32
    /// The newest that the agent has, at most 4,096 bytes.
    package let token: [UInt8]

    package init(listedParts: UInt32, token: [UInt8]) {
        self.listedParts = listedParts
        self.token = token
    }
}

extension ResumeQuery: FrameBody {
    static var type: FrameType { .resumeQuery }

    func encode(into writer: inout BodyWriter) throws(WireError) {
        writer.integer(listedParts)
        try writer.token(token)
    }

    init(from reader: inout BodyReader) throws(WireError) {
        listedParts = try reader.integer()
        token = try reader.token()
    }
}
