import NIOCore

/// Reads from a socket at most so many bytes at once, though the lengths of buffers are powers of two.
///
/// TLS gives out what it reads at once together with what it held of a record: where both fit into one buffer of the
/// usual length, nothing is cut, and nobody who keeps the bytes keeps a buffer that is mostly empty.
struct BoundedReads: RecvByteBufferAllocator {
    let bytesMax: Int

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        var buffer = allocator.buffer(capacity: bytesMax)
        let surplus = buffer.writableBytes - bytesMax
        buffer.moveWriterIndex(forwardBy: surplus)
        buffer.moveReaderIndex(forwardBy: surplus)
        return buffer
    }

    /// No buffer is kept for the next read, which would have all its length.
    func nextBufferSize() -> Int? { nil }

    /// - Returns: whether the next buffer may be longer; if not, the one from before this allocator is used for ever.
    func record(actualReadBytes: Int) -> Bool { true }
}
