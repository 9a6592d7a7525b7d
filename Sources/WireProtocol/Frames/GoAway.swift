/// The gateway is going to close this connection; the agent should finish its parts and disconnect (specification §4.4,
/// §5).
package struct GoAway: Hashable, Sendable {
    /// The gateway closes the connection at the latest this many milliseconds after it sent the frame.
    package let deadlineMilliseconds: UInt32
    /// The reason, for people. The sender cuts it at 512 bytes.
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
