/// The agent aborts a session (specification §4.21, §9.3).
package struct Abort: Hashable, Sendable {
    /// The newest token of the session, at most 4,096 bytes.
    package let token: [UInt8]

    package init(token: [UInt8]) {
        self.token = token
    }
}

/// The gateway has aborted the session. An object that the store already holds stays (specification §4.22).
package struct Aborted: Hashable, Sendable {
    package init() {}
}

extension Abort: FrameBody {
    static var type: FrameType { .abort }

    func encode(into writer: inout BodyWriter) throws(WireError) {
        try writer.token(token)
    }

    init(from reader: inout BodyReader) throws(WireError) {
        token = try reader.token()
    }
}

extension Aborted: FrameBody {
    static var type: FrameType { .aborted }

    func encode(into writer: inout BodyWriter) throws(WireError) {}

    init(from reader: inout BodyReader) throws(WireError) {}
}
