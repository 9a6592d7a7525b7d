/// A file's modification time as the device has it: a label to tell versions apart, never compared with a clock.
package struct ModificationTime: Hashable, Sendable {
    /// Seconds since 1970-01-01 UTC by the device's clock.
    package let seconds: Int64
    /// Below 1,000,000,000.
    package let nanoseconds: UInt32

    package init(seconds: Int64, nanoseconds: UInt32) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }
}

/// The agent begins a session in the frame's slot (specification §4.6).
package struct SessionOpen: Equatable, Sendable {
    package let session: SessionID
    /// With the key relative to the device's prefix.
    package let terms: SessionTerms
    /// The agent can compare: an object of the file's size is told by SESSION EXISTS before anything is sent, also
    /// where the terms would let the session replace it.
    package let compares: Bool

    package init(session: SessionID, terms: SessionTerms, compares: Bool) {
        self.session = session
        self.terms = terms
        self.compares = compares
    }
}

extension SessionOpen: FrameBody {
    /// The header's bit for `compares`.
    static let comparesFlag: UInt8 = 1 << 0

    static var type: FrameType { .sessionOpen }

    var flags: UInt8 { compares ? Self.comparesFlag : 0 }

    func encode(into writer: inout BodyWriter) throws(WireError) {
        writer.sessionID(session)
        try terms.encode(into: &writer)
    }

    init(from reader: inout BodyReader) throws(WireError) {
        compares = reader.flags & Self.comparesFlag != 0
        session = try reader.sessionID()
        terms = try SessionTerms(from: &reader)
    }
}
