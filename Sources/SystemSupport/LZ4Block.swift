import CLZ4
package import NIOCore

/// Compresses each chunk into an LZ4 block of its own, so that each block can be decompressed without the others.
///
/// This type owns LZ4's working memory (16 KiB), so that compressing allocates none. It is `@unchecked Sendable`,
/// because only one thread at a time can use the memory: a value of this type cannot be copied, and `compress` needs
/// exclusive access to it.
package struct LZ4Compressor: ~Copyable, @unchecked Sendable {
    private let state: UnsafeMutableRawPointer

    package init() {
        // LZ4 requires memory that is aligned for 64-bit numbers.
        state = .allocate(byteCount: Int(LZ4_sizeofState()), alignment: MemoryLayout<UInt64>.alignment)
    }

    /// Appends one block to `output` if the block is short enough, and otherwise leaves `output` unchanged.
    /// - Parameters:
    ///   - plain: the buffer whose readable bytes are compressed. They stay readable.
    ///   - output: the buffer for the block. It grows only if it has fewer writable bytes than the block may need.
    ///   - blockBytesMax: maximum length of the block. LZ4 stops as soon as the block would exceed it.
    /// - Returns: whether a block was appended.
    package mutating func compress(_ plain: ByteBuffer, into output: inout ByteBuffer, blockBytesMax: Int) -> Bool {
        // `LZ4_compressBound` returns 0 for input that is too long. In this case, or if `blockBytesMax` is 0, there is
        // no block, and the caller sends the bytes uncompressed.
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

/// LZ4's parameter for speed. 1 is the value that `LZ4_compress_default` uses; a higher value makes compression faster
/// and the blocks longer.
private let usualAcceleration: Int32 = 1

/// Decompresses LZ4 blocks from a peer. They are bare blocks, not in LZ4's frame format.
package enum LZ4Block {
    /// Decompresses the readable bytes of `block` and does not consume them.
    /// - Parameter plainByteCount: the length of the plain bytes that the peer announced. The caller must have checked
    ///   that it does not exceed the allowed maximum.
    /// - Returns: a buffer of exactly `plainByteCount` bytes.
    package static func decompress(
        _ block: ByteBuffer, plainByteCount: Int, allocator: ByteBufferAllocator = ByteBufferAllocator()
    ) throws(LZ4Error) -> ByteBuffer {
        // No block decompresses to more than 255 times its own length. Check this before allocating memory for the
        // announced length.
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

    /// Decompresses a block into `plain`. Never writes beyond `plain`, and fails if the block does not fill it exactly.
    package static func decompress(
        _ block: UnsafeRawBufferPointer, filling plain: UnsafeMutableRawBufferPointer
    ) -> Result<Void, LZ4Error> {
        guard let blockByteCount = Int32(exactly: block.count), let capacity = Int32(exactly: plain.count) else {
            return .failure(.malformed)
        }
        // LZ4 requires addresses, and an empty buffer may have none. Pass the address of this byte instead.
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

/// The reason why a peer's block could not be decompressed to the announced length.
package enum LZ4Error: Error, Hashable {
    /// The bytes are not an LZ4 block, or are truncated, or have trailing bytes, or contain more plain bytes than
    /// announced. LZ4 does not distinguish these cases.
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
