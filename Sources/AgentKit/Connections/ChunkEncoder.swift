package import NIOCore
import Synchronization
import SystemSupport
package import TransferCommon
package import WireProtocol

/// When chunks are compressed.
package enum CompressionChoice: String, Sendable, CaseIterable {
    /// As long as compression makes the chunks of this file smaller.
    case auto
    case always
    case never
}

/// Turns plain chunks of one upload into PART DATA frames, compressed where that makes them smaller.
///
/// In `auto`, a chunk that did not shrink by at least a twentieth turns compression off for the next `pauseChunks`
/// chunks. So media files and random bytes cost only few attempts.
package final class ChunkEncoder: Sendable {
    private static let pauseChunks = 32

    private let choice: CompressionChoice
    private let compressors: CompressorPool
    private let chunksToSkip = Mutex(0)

    package init(choice: CompressionChoice, compressors: CompressorPool) {
        self.choice = choice
        self.compressors = compressors
    }

    /// Whether the next chunk would be compressed. If so, it must be encoded on a thread pool.
    package var compressesNext: Bool {
        switch choice {
        case .never: false
        case .always: true
        case .auto: chunksToSkip.withLock { $0 == 0 }
        }
    }

    /// The frame in two pieces: header and fields, then the payload. Two pieces, so that a plain payload is not copied.
    ///
    /// - Parameter mayCompress: whether the connection's two sides have agreed on LZ4 (specification §7.3).
    package func encode(
        _ plain: ByteBuffer, part: PartNumber, offset: ByteOffset, slot: Slot, mayCompress: Bool
    ) throws(WireError) -> (head: ByteBuffer, payload: ByteBuffer) {
        let payload = mayCompress ? compressed(plain) ?? plain : plain
        let header = PartDataHeader(
            part: part, offset: offset, plainBytes: UInt32(clamping: plain.readableBytes),
            isCompressed: payload.readableBytes < plain.readableBytes,
            payloadBytes: UInt32(clamping: payload.readableBytes))
        var head = ByteBufferAllocator().buffer(capacity: WireLimits.headerBytes + WireLimits.partDataFieldsBytes)
        try header.encode(slot: slot, into: &head)
        return (head, payload)
    }

    private func compressed(_ plain: ByteBuffer) -> ByteBuffer? {
        switch choice {
        case .never:
            return nil
        case .always:
            return compressors.compress(plain, blockBytesMax: plain.readableBytes - 1)
        case .auto:
            let isSkipped = chunksToSkip.withLock { left in
                defer { left = max(left - 1, 0) }
                return left > 0
            }
            guard !isSkipped else { return nil }
            let block = compressors.compress(plain, blockBytesMax: plain.readableBytes - plain.readableBytes / 20 - 1)
            if block == nil { chunksToSkip.withLock { $0 = Self.pauseChunks } }
            return block
        }
    }
}

/// Keeps unused compression states, so that not every chunk has to make a new one.
package final class CompressorPool: Sendable {
    private final class Compressor: Sendable {
        private let state = Mutex(LZ4Compressor())

        func compress(_ plain: ByteBuffer, blockBytesMax: Int) -> ByteBuffer? {
            guard blockBytesMax > 0 else { return nil }
            var block = ByteBufferAllocator().buffer(capacity: blockBytesMax)
            let isSmaller = state.withLock { $0.compress(plain, into: &block, blockBytesMax: blockBytesMax) }
            return isSmaller ? block : nil
        }
    }

    private let idle = Mutex<[Compressor]>([])

    package init() {}

    /// The block, or `nil` if it does not fit into `blockBytesMax` bytes.
    func compress(_ plain: ByteBuffer, blockBytesMax: Int) -> ByteBuffer? {
        let compressor = idle.withLock { $0.popLast() } ?? Compressor()
        defer { idle.withLock { $0.append(compressor) } }
        return compressor.compress(plain, blockBytesMax: blockBytesMax)
    }
}
