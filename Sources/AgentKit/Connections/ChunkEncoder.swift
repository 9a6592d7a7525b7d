package import NIOCore
import Synchronization
import SystemSupport
package import TransferCommon
package import WireProtocol

/// Which chunks the agent compresses.
package enum CompressionChoice: String, Sendable, CaseIterable {
    /// Compresses the chunks of a file. After a chunk that compression makes hardly smaller, sends the next chunks
    /// uncompressed and then tries again (`ChunkEncoder`).
    case auto
    case always
    case never
}

/// Turns uncompressed chunks of one upload into PART DATA frames. The payload is compressed if that makes it smaller.
///
/// With `auto`, a chunk that did not shrink by at least a twentieth turns compression off for the next `pauseChunks`
/// chunks. For media and random bytes the agent therefore tries to compress only one chunk in about `pauseChunks`.
package final class ChunkEncoder: Sendable {
    private static let pauseChunks = 32

    private let choice: CompressionChoice
    private let compressors: CompressorPool
    private let chunksToSkip = Mutex(0)

    package init(choice: CompressionChoice, compressors: CompressorPool) {
        self.choice = choice
        self.compressors = compressors
    }

    /// Whether the encoder would compress the next chunk. If so, the caller encodes it on a pool thread instead of the
    /// event loop.
    package var compressesNext: Bool {
        switch choice {
        case .never: false
        case .always: true
        case .auto: chunksToSkip.withLock { $0 == 0 }
        }
    }

    /// Encodes one chunk. Returns the frame in two pieces, first header and fields, then the payload, so that an
    /// uncompressed payload is not copied.
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

/// LZ4 compressors that are not in use now. A chunk takes one of them instead of making a new one.
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

    /// Compresses a chunk into one LZ4 block.
    ///
    /// - Returns: the block; `nil` if it does not fit into `blockBytesMax` bytes.
    func compress(_ plain: ByteBuffer, blockBytesMax: Int) -> ByteBuffer? {
        let compressor = idle.withLock { $0.popLast() } ?? Compressor()
        defer { idle.withLock { $0.append(compressor) } }
        return compressor.compress(plain, blockBytesMax: blockBytesMax)
    }
}
