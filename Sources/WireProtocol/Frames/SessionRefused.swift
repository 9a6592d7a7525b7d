/// The gateway does not open, resume or abort the session; the slot is closed (specification §4.9).
package struct SessionRefused: Equatable, Sendable {
    package let code: ErrorCode
    /// 0: no advice.
    package let retryAfterMilliseconds: UInt32
    /// For people. Cut at 512 bytes when it is sent.
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
