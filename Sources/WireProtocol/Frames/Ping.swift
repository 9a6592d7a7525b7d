/// A question whether the peer is still there (specification §4.3).
package struct Ping: Equatable, Sendable {
    /// The sender's own number for this question.
    package let nonce: UInt64

    package init(nonce: UInt64) {
        self.nonce = nonce
    }
}

/// The answer to a PING, sent at once.
package struct Pong: Equatable, Sendable {
    /// The PING's.
    package let nonce: UInt64

    package init(nonce: UInt64) {
        self.nonce = nonce
    }
}

extension Ping: FrameBody {
    static var type: FrameType { .ping }

    func encode(into writer: inout BodyWriter) throws(WireError) {
        writer.integer(nonce)
    }

    init(from reader: inout BodyReader) throws(WireError) {
        nonce = try reader.integer()
    }
}

extension Pong: FrameBody {
    static var type: FrameType { .pong }

    func encode(into writer: inout BodyWriter) throws(WireError) {
        writer.integer(nonce)
    }

    init(from reader: inout BodyReader) throws(WireError) {
        nonce = try reader.integer()
    }
}
