import TransferCommon

/// The reason why bytes are not a valid frame, or why a value cannot be encoded as one. Each error ends the connection;
/// the ERROR frame contains `code`, and the other values are for the log. The machines decide whether the state of a
/// connection allows a valid frame.
package enum WireError: Error, Equatable, Sendable {
    /// The body is longer than the maximum of its type, or than the lower maximum that the receiver has set for now
    /// (§5).
    case frameTooLarge(type: UInt8, length: Int, maximum: Int)
    /// The body, of `length` bytes, ends before its last field does.
    case bodyTooShort(type: FrameType, length: Int)
    /// In the body, of `length` bytes, `unread` bytes follow the last field.
    case trailingBytes(type: FrameType, length: Int, unread: Int)
    /// This version does not know the type, and the frame's flags do not allow the receiver to skip the frame.
    case unknownType(UInt8)
    /// The body has an unknown extension field that must not be skipped. `tag` includes bit 15.
    case unknownRequiredField(type: FrameType, tag: UInt16)
    /// The flags contain bits that the type does not define, or a REPORT lacks bit 7.
    case reservedBits(type: FrameType, flags: UInt8)
    /// The field with this name in the specification is not UTF-8.
    case badText(type: FrameType, field: String)
    /// The field with this name in the specification is outside its range.
    case badValue(type: FrameType, field: String)
    /// A frame about a session has slot 0, or a frame about the connection has another slot than 0.
    case badSlot(type: FrameType, slot: Slot)
    /// An agent sent a type that only gateways may send, or a gateway sent a type that only agents may send.
    case wrongDirection(type: FrameType)
    /// A HELLO began with this number instead of "SLUC".
    case badMagic(UInt32)
    /// The body has more extension fields than are allowed.
    case tooManyFields(type: FrameType)
    /// A compressed payload is empty, or it is not shorter than the plain bytes.
    case badCompression(payloadBytes: UInt32, plainBytes: UInt32)
}

extension WireError {
    /// The code of the ERROR frame that reports this error (§12).
    package var code: ErrorCode {
        switch self {
        case .frameTooLarge: .frameTooLarge
        case .bodyTooShort: .bodyTooShort
        case .trailingBytes: .trailingBytes
        case .unknownType: .unknownType
        case .unknownRequiredField: .unknownRequiredField
        case .reservedBits: .reservedBits
        case .badText: .badText
        case .badValue: .badValue
        case .badSlot: .badSlot
        case .wrongDirection: .wrongDirection
        case .badMagic: .badMagic
        case .tooManyFields: .tooManyFields
        case .badCompression: .badCompression
        }
    }
}

extension WireError: CustomStringConvertible {
    /// One line for a log or for the message of an ERROR. It contains numbers and names of the specification, and no
    /// text from the peer.
    package var description: String {
        switch self {
        case .frameTooLarge(let type, let length, let maximum):
            "\(code.name): \(Self.name(of: type)) of \(length) bytes, at most \(maximum)"
        case .bodyTooShort(let type, let length):
            "\(code.name): \(type) of \(length) bytes"
        case .trailingBytes(let type, let length, let unread):
            "\(code.name): \(type) of \(length) bytes, \(unread) too many"
        case .unknownType(let type):
            "\(code.name): \(Self.name(of: type))"
        case .unknownRequiredField(let type, let tag):
            "\(code.name): \(type), tag \(tag)"
        case .reservedBits(let type, let flags):
            "\(code.name): \(type), flags 0x\(hexadecimal([flags]))"
        case .badText(let type, let field), .badValue(let type, let field):
            "\(code.name): \(type), \(field)"
        case .badSlot(let type, let slot):
            "\(code.name): \(type), slot \(slot)"
        case .wrongDirection(let type), .tooManyFields(let type):
            "\(code.name): \(type)"
        case .badMagic(let magic):
            "\(code.name): 0x\(hexadecimal([24, 16, 8, 0].map { UInt8(truncatingIfNeeded: magic >> UInt32($0)) }))"
        case .badCompression(let payloadBytes, let plainBytes):
            "\(code.name): \(payloadBytes) bytes for \(plainBytes) plain ones"
        }
    }

    private static func name(of type: UInt8) -> String {
        FrameType(rawValue: type)?.description ?? "type 0x\(hexadecimal([type]))"
    }
}
