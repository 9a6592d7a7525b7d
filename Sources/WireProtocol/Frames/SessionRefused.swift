/// The gateway refuses to open, resume or abort the session, and closes the slot (specification §4.9).
package struct SessionRefused: Hashable, Sendable {
    package let code: ErrorCode
    /// Milliseconds that the agent should wait before it tries again; 0 for no advice.
    package let retryAfterMilliseconds: UInt32
    /// A text for people. The sender cuts it at 512 bytes.
    package let message: String

    package init(code: ErrorCode, retryAfterMilliseconds: UInt32, message: String) {
        self.code = code
        self.retryAfterMilliseconds = retryAfterMilliseconds
        self.message = message
    }
}

extension SessionRefused: FrameBody {
    static var type: FrameType { .sessionRefused }

    func encode(into writer: inout BodyWriter) throws(WireError) {
        writer.choice(code)
        writer.integer(retryAfterMilliseconds)
        try writer.message(message)
    }

    init(from reader: inout BodyReader) throws(WireError) {
        code = ErrorCode(rawValue: try reader.integer())
        retryAfterMilliseconds = try reader.integer()
        message = try reader.message()
    }
}
