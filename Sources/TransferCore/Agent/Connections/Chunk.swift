package import TransferCommon
package import WireProtocol

/// Bytes of a part that are sent in one PART DATA frame. The machine decides on a chunk. The shell reads, compresses
/// and writes it, and names the same chunk when it reports what became of it.
package struct Chunk: Hashable, Sendable {
    package var connection: ConnectionID
    package var slot: Slot
    package var upload: UploadID
    package var part: PartNumber
    /// Where the bytes begin in the part.
    package var offset: ByteOffset
    /// The size of the bytes before compression.
    package var plainBytes: UInt32

    package init(
        connection: ConnectionID, slot: Slot, upload: UploadID, part: PartNumber, offset: ByteOffset, plainBytes: UInt32
    ) {
        self.connection = connection
        self.slot = slot
        self.upload = upload
        self.part = part
        self.offset = offset
        self.plainBytes = plainBytes
    }

    /// Where the bytes end in the part.
    package var end: ByteOffset { offset &+ UInt64(plainBytes) }
}
