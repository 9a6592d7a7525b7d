import CLZ4
package import NIOCore

/// Compresses chunks into LZ4 blocks, each on its own: a block can be decompressed whatever became of the others.
///
/// Owns LZ4's working memory (16 KiB), so that compressing allocates nothing. `@unchecked Sendable` because it cannot
/// be copied and compressing needs exclusive access.
package struct LZ4Compressor: ~Copyable, @unchecked Sendable {
    private let state: UnsafeMutableRawPointer

    package init() {
        // LZ4 asks for the alignment of its widest word.
        state = .allocate(byteCount: Int(LZ4_sizeofState()), alignment: MemoryLayout<UInt64>.alignment)
    }

    /// Appends one block to `output` if it is short enough, and leaves `output` as it was if not.
    /// - Parameters:
    ///   - plain: the readable bytes are compressed, and stay readable.
    ///   - output: grows only where it has less room than the block may need.
    ///   - blockBytesMax: the longest block that is worth it to the caller. LZ4 gives up as soon as it is exceeded.
    /// - Returns: whether a block was appended.
    package mutating func compress(_ plain: ByteBuffer, into output: inout ByteBuffer, blockBytesMax: Int) -> Bool {
        // Zero stands for input that LZ4 does not take, a negative maximum is no room: both mean sending it plain.
        guard let plainByteCount = Int32(exactly: plain.readableBytes) else { return false }
        let capacity = min(LZ4_compressBound(plainByteCount), Int32(clamping: blockBytesMax))
        guard capacity > 0 else { return false }
        let blockByteCount = output.writeWithUnsafeMutableBytes(minimumWritableBytes: Int(capacity)) { block in
            plain.withUnsafeReadableBytes { plain in
                let written = LZ4_compress_fast_extState(
                    state, plain.baseAddress, block.baseAddress, plainByteCount, capacity, usualAcceleration)
                return Int(written)
            }
        }
        return blockByteCount > 0
    }

    deinit {
        state.deallocate()
    }
}

/// What `LZ4_compress_default` uses. Higher ones compress less and faster.
private let usualAcceleration: Int32 = 1

/// One LZ4 block as it came from a peer, without a frame of LZ4's own around it.
package enum LZ4Block {
    /// Decompresses the readable bytes of `block`, which keeps them.
    /// - Parameter plainByteCount: as the peer announced it, compared with the caller's own maximum before.
    /// - Returns: a buffer of exactly `plainByteCount` bytes.
    package static func decompress(
        _ block: ByteBuffer, plainByteCount: Int, allocator: ByteBufferAllocator = ByteBufferAllocator()
    ) throws(LZ4Error) -> ByteBuffer {
        // Looked at before anything is allocated: no block yields more than 255 times its own length.
        let (plainBytesMax, isHuge) = block.readableBytes.multipliedReportingOverflow(by: 255)
        guard plainByteCount >= 0, isHuge || plainByteCount <= plainBytesMax else { throw .malformed }
        var plain = allocator.buffer(capacity: plainByteCount)
        var result: Result<Void, LZ4Error> = .success(())
        plain.writeWithUnsafeMutableBytes(minimumWritableBytes: plainByteCount) { space in
            block.withUnsafeReadableBytes { block in
                let exactSpace = UnsafeMutableRawBufferPointer(rebasing: space.prefix(plainByteCount))
                result = decompress(block, filling: exactSpace)
            }
            return plainByteCount
        }
        try result.get()
        return plain
    }

    /// Writes within `plain` only, and succeeds only where the block fills it.
    package static func decompress(
        _ block: UnsafeRawBufferPointer, filling plain: UnsafeMutableRawBufferPointer
    ) -> Result<Void, LZ4Error> {
        guard let blockByteCount = Int32(exactly: block.count), let capacity = Int32(exactly: plain.count) else {
            return .failure(.malformed)
        }
        // An empty buffer may have no address, which LZ4 refuses to hear of.
        var nothing: UInt8 = 0
        let written = withUnsafeMutableBytes(of: &nothing) { nothing in
            LZ4_decompress_safe(
                block.baseAddress, plain.baseAddress ?? nothing.baseAddress, blockByteCount, capacity)
        }
        guard written >= 0 else { return .failure(.malformed) }
        guard Int(written) == plain.count else {
            return .failure(.fewerPlainBytes(expected: plain.count, actual: Int(written)))
        }
        return .success(())
    }
}

/// A block that a peer sent does not decompress to what the peer said it would.
package enum LZ4Error: Error, Hashable {
    /// It is no LZ4 block, is cut off, goes on after its end, or holds more plain bytes than announced: LZ4 cannot
    /// tell these apart.
    case malformed
    case fewerPlainBytes(expected: Int, actual: Int)
}

extension LZ4Error: CustomStringConvertible {
    package var description: String {
        switch self {
        case .malformed:
            "A compressed chunk is malformed or holds more bytes than announced."
        case .fewerPlainBytes(let expected, let actual):
            "A compressed chunk holds \(actual) bytes where \(expected) were announced."
        }
    }
}
