import NIOCore

/// The eight bytes before every body (specification §3). No field of this value has been checked.
struct FrameHeader: Equatable, Sendable {
    /// Flag bit that allows a receiver that does not know the type to skip the frame.
    static let skippableFlag: UInt8 = 0x80

    /// Length of the body in bytes.
    let length: UInt32
    /// Number of the frame's type. The receiver may not know the type.
    let type: UInt8
    let flags: UInt8
    let slot: Slot

    init(length: UInt32, type: UInt8, flags: UInt8, slot: Slot) {
        self.length = length
        self.type = type
        self.flags = flags
        self.slot = slot
    }

    /// Returns `nil` if fewer than eight bytes are readable.
    init?(from buffer: inout ByteBuffer) {
        guard
            let (length, type, flags, slot) = buffer.readMultipleIntegers(
                as: (UInt32, UInt8, UInt8, UInt16).self)
        else { return nil }
        self.init(length: length, type: type, flags: flags, slot: Slot(slot))
    }

    func encode(into buffer: inout ByteBuffer) {
        buffer.writeMultipleIntegers(length, type, flags, slot.value)
    }
}
