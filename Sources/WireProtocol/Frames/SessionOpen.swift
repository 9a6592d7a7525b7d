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

/// What to do where the key already holds an object (specification §6.3).
package enum ExistingKeyPolicy: UInt8, Sendable {
    /// Succeed if the content is the same, else fail.
    case verify = 0
    /// Put this file in its place; nothing is sent if the content is the same.
    case replace = 1
    /// Fail whatever is there.
    case fail = 2
    /// Replace, and the question behind SESSION EXISTS is settled.
    case overwrite = 3
}

/// The agent begins a session in the frame's slot (specification §4.6).
package struct SessionOpen: Equatable, Sendable {
    package let session: SessionID
    /// Bytes of the file; `nil` while it is not known (a stream).
    package let size: UInt64?
    /// The part size. Whether it is within WELCOME's bounds is not checked here.
    package let partBytes: UInt64
    package let modification: ModificationTime
    package let ifExists: ExistingKeyPolicy
    /// Relative to the device's prefix. Neither its length nor its form is checked here (§6.2).
    package let key: String

    package init(
        session: SessionID, size: UInt64?, partBytes: UInt64, modification: ModificationTime,
        ifExists: ExistingKeyPolicy, key: String
    ) {
        self.session = session
        self.size = size
        self.partBytes = partBytes
        self.modification = modification
        self.ifExists = ifExists
        self.key = key
    }
}

extension SessionOpen: FrameBody {
    static var type: FrameType { .sessionOpen }

    func encode(into writer: inout BodyWriter) throws(WireError) {
        // A known size of that value would arrive as an unknown one.
        guard size != WireLimits.unknownSize else { throw writer.badValue("size") }
        guard modification.nanoseconds < WireLimits.nanosecondsPerSecond else {
            throw writer.badValue("modificationNanoseconds")
        }
        writer.sessionID(session)
        writer.integer(size ?? WireLimits.unknownSize)
        writer.integer(partBytes)
        writer.integer(modification.seconds)
        writer.integer(modification.nanoseconds)
        writer.choice(ifExists)
        try writer.text16(key, "key")
    }

    init(from reader: inout BodyReader) throws(WireError) {
        session = try reader.sessionID()
        let sizeOnWire: UInt64 = try reader.integer()
        size = sizeOnWire == WireLimits.unknownSize ? nil : sizeOnWire
        partBytes = try reader.integer()
        modification = ModificationTime(seconds: try reader.integer(), nanoseconds: try reader.integer())
        guard modification.nanoseconds < WireLimits.nanosecondsPerSecond else {
            throw reader.badValue("modificationNanoseconds")
        }
        ifExists = try reader.choice("ifExists")
        key = try reader.text16("key")
    }
}
