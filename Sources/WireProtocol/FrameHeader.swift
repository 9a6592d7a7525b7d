import NIOCore

/// The eight bytes before every body (specification §3), as they arrived: no field has been checked.
struct FrameHeader: Equatable, Sendable {
    /// Set on types that a receiver may skip when it does not know them.
    static let skippableFlag: UInt8 = 0x80

    /// Bytes of the body that follows.
    let length: UInt32
    /// The type's number, which this version may not know.
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
