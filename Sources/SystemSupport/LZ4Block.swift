import CLZ4
package import NIOCore

/// Compresses each chunk into an LZ4 block of its own, so that each block can be decompressed without the others.
///
/// It owns LZ4's working memory (16 KiB), so compressing allocates nothing. `@unchecked Sendable` because it cannot be
/// copied, and compressing needs exclusive access.
package struct LZ4Compressor: ~Copyable, @unchecked Sendable {
    private let state: UnsafeMutableRawPointer

    package init() {
        // LZ4 requires the alignment of its widest word.
        state = .allocate(byteCount: Int(LZ4_sizeofState()), alignment: MemoryLayout<UInt64>.alignment)
    }

    /// Appends one block to `output` if the block is short enough, and otherwise leaves `output` unchanged.
    /// - Parameters:
    ///   - plain: the readable bytes are compressed, and stay readable.
    ///   - output: grows only if its writable bytes are fewer than the block may need.
    ///   - blockBytesMax: the longest acceptable block. LZ4 stops as soon as it is exceeded.
    /// - Returns: whether a block was appended.
    package mutating func compress(_ plain: ByteBuffer, into output: inout ByteBuffer, blockBytesMax: Int) -> Bool {
        // `LZ4_compressBound` returns zero for input that is too long. In this case, or if the block does not fit, the
        // caller sends plain bytes.
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

/// The value that `LZ4_compress_default` uses. Higher values compress less and faster.
private let usualAcceleration: Int32 = 1

/// An LZ4 block from a peer, without LZ4's own frame format.
package enum LZ4Block {
    /// Decompresses the readable bytes of `block` and does not consume them.
    /// - Parameter plainByteCount: the length that the peer announced. The caller has compared it with its maximum.
    /// - Returns: a buffer of exactly `plainByteCount` bytes.
    package static func decompress(
        _ block: ByteBuffer, plainByteCount: Int, allocator: ByteBufferAllocator = ByteBufferAllocator()
    ) throws(LZ4Error) -> ByteBuffer {
        // No block decompresses to more than 255 times its own length. Check this before the allocation, so that a
        // false length cannot make it huge.
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

    /// Writes only within `plain`, and succeeds only if the block fills it.
    package static func decompress(
        _ block: UnsafeRawBufferPointer, filling plain: UnsafeMutableRawBufferPointer
    ) -> Result<Void, LZ4Error> {
        guard let blockByteCount = Int32(exactly: block.count), let capacity = Int32(exactly: plain.count) else {
            return .failure(.malformed)
        }
        // LZ4 requires an address, and an empty buffer may have none.
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

/// Why a peer's block does not decompress to what the peer announced.
package enum LZ4Error: Error, Hashable {
    /// It is not an LZ4 block, is truncated, has trailing bytes, or holds more plain bytes than announced. LZ4 does not
    /// distinguish these.
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
