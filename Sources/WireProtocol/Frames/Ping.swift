/// Asks whether the peer is still alive (specification §4.3).
package struct Ping: Hashable, Sendable {
    /// A number that the sender chooses. The answer PONG contains the same number.
    package let nonce: UInt64

    package init(nonce: UInt64) {
        self.nonce = nonce
    }
}

/// The immediate answer to a PING.
package struct Pong: Hashable, Sendable {
    /// The nonce of the PING.
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
