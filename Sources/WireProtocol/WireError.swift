import TransferCommon

/// Why bytes are not a valid frame, or why a value cannot be encoded as one. Each error ends the connection with its
/// `code`; the associated values are for the log. The machines, not this type, decide whether a well-formed frame is
/// allowed now.
package enum WireError: Error, Equatable, Sendable {
    /// The body is longer than the type's maximum, or than the receiver's tighter current maximum (§5).
    case frameTooLarge(type: UInt8, length: Int, maximum: Int)
    /// The fields do not fit into the body of `length` bytes.
    case bodyTooShort(type: FrameType, length: Int)
    /// `unread` bytes of the body of `length` bytes follow its fields.
    case trailingBytes(type: FrameType, length: Int, unread: Int)
    /// This version does not know the type, and its flags do not allow skipping it.
    case unknownType(UInt8)
    /// An unknown extension field with this tag, bit 15 included, that must not be skipped.
    case unknownRequiredField(type: FrameType, tag: UInt16)
    /// The flags contain bits that the type does not define, or a REPORT lacks bit 7.
    case reservedBits(type: FrameType, flags: UInt8)
    /// The field with this name in the specification is not UTF-8.
    case badText(type: FrameType, field: String)
    /// The field with this name in the specification is outside its range.
    case badValue(type: FrameType, field: String)
    /// Slot 0 for a frame of a session, or a session's slot for a frame of the connection.
    case badSlot(type: FrameType, slot: Slot)
    /// Only the other end may receive frames of this type.
    case wrongDirection(type: FrameType)
    /// A HELLO began with this number instead of "SLUC".
    case badMagic(UInt32)
    /// More extension fields than a frame may have.
    case tooManyFields(type: FrameType)
    /// A compressed payload is empty, or not shorter than its plain bytes.
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
    /// One line for a log or an ERROR's message: numbers and names of the specification, never text from the peer.
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
