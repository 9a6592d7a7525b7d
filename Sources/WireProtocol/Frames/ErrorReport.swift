package import TransferCommon

/// What an ERROR frame ends.
package enum ErrorScope: Hashable, Sendable {
    /// One part of the session in the frame's slot.
    case part(PartNumber)
    /// The session in the frame's slot.
    case session
    /// The connection; the frame uses slot 0.
    case connection
}

/// The frame ERROR (specification §4.5). Neither side answers an ERROR with another ERROR.
package struct ErrorReport: Hashable, Sendable {
    package let scope: ErrorScope
    package let code: ErrorCode
    /// Milliseconds that the receiver should wait before it tries again; 0 for no advice.
    package let retryAfterMilliseconds: UInt32
    /// A text for people. The sender cuts it at 512 bytes.
    package let message: String

    package init(scope: ErrorScope, code: ErrorCode, retryAfterMilliseconds: UInt32, message: String) {
        self.scope = scope
        self.code = code
        self.retryAfterMilliseconds = retryAfterMilliseconds
        self.message = message
    }
}

extension ErrorReport: FrameBody {
    private enum ScopeNumber: UInt8 {
        case part = 1
        case session = 2
        case connection = 3
    }

    static var type: FrameType { .error }

    func encode(into writer: inout BodyWriter) throws(WireError) {
        let number: ScopeNumber
        var partValue: UInt32 = 0
        switch scope {
        case .part(let part): (number, partValue) = (.part, part.value)
        case .session: number = .session
        case .connection: number = .connection
        }
        try Self.check(number, slot: writer.slot)
        writer.choice(number)
        writer.choice(code)
        writer.integer(partValue)
        writer.integer(retryAfterMilliseconds)
        try writer.message(message)
    }

    init(from reader: inout BodyReader) throws(WireError) {
        let number: ScopeNumber = try reader.choice("scope")
        try Self.check(number, slot: reader.slot)
        code = ErrorCode(rawValue: try reader.integer())
        switch number {
        case .part:
            scope = .part(try reader.partNumber("part"))
        case .session, .connection:
            let _: UInt32 = try reader.integer("part", isMeant: false)
            scope = number == .session ? .session : .connection
        }
        retryAfterMilliseconds = try reader.integer()
        message = try reader.message()
    }

    private static func check(_ number: ScopeNumber, slot: Slot) throws(WireError) {
        guard (number == .connection) == (slot == .connection) else { throw .badSlot(type: type, slot: slot) }
    }
}
