package import TransferCommon
package import WireProtocol

/// Names one offer of a part. A part that is offered again gets another id, so that reports about chunks of the earlier
/// offer do not count for the later one.
package struct OfferID: Hashable, Sendable {
    package let value: UInt64

    package init(_ value: UInt64) {
        self.value = value
    }
}

/// A part of an upload.
package struct UploadPart: Hashable, Sendable {
    package var upload: UploadID
    package var part: PartNumber

    package init(upload: UploadID, part: PartNumber) {
        self.upload = upload
        self.part = part
    }
}

/// The chunks of one connection that were passed to the shell and that the socket has not taken yet, in order.
package struct ChunkQueue: Hashable, Sendable {
    /// A chunk that is queued.
    package struct Entry: Hashable, Sendable {
        package var slot: Slot
        package var part: UploadPart
        /// The offer that the chunk belongs to.
        package var offer: OfferID
    }

    /// Plain bytes of the queued chunks.
    package private(set) var bytes: UInt64 = 0
    private var entries: [Entry] = []

    package init() {}

    /// Adds a chunk that was passed to the shell.
    package mutating func append(_ chunk: Chunk, of offer: OfferID) {
        entries.append(Entry(slot: chunk.slot, part: chunk.uploadPart, offer: offer))
        bytes += UInt64(chunk.plainBytes)
    }

    /// Whether chunks of a part are queued.
    package func contains(_ part: UploadPart) -> Bool { entries.contains { $0.part == part } }

    /// Whether chunks of a slot are queued.
    package func contains(_ slot: Slot) -> Bool { entries.contains { $0.slot == slot } }

    /// Removes and returns the first entry of the chunk's part: the socket has taken it, or it will never be sent.
    package mutating func remove(_ chunk: Chunk) -> Entry? {
        bytes -= min(UInt64(chunk.plainBytes), bytes)
        guard let index = entries.firstIndex(where: { $0.part == chunk.uploadPart }) else { return nil }
        return entries.remove(at: index)
    }
}

extension Chunk {
    /// The part to which the chunk belongs.
    package var uploadPart: UploadPart { UploadPart(upload: upload, part: part) }
}
