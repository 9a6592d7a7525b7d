/// The gateway drains this connection (specification §4.4, §5).
package struct GoAway: Equatable, Sendable {
    /// The gateway closes the connection this long after sending at the latest.
    package let deadlineMilliseconds: UInt32
    /// Why, for people. Cut at 512 bytes when it is sent.
    package let message: String

    package init(deadlineMilliseconds: UInt32, message: String) {
        self.deadlineMilliseconds = deadlineMilliseconds
        self.message = message
    }
}

extension GoAway: FrameBody {
    static var type: FrameType { .goAway }

    func encode(into writer: inout BodyWriter) throws(WireError) {
        writer.integer(deadlineMilliseconds)
        try writer.message(message)
    }

    init(from reader: inout BodyReader) throws(WireError) {
        deadlineMilliseconds = try reader.integer()
        message = try reader.message()
    }
}
