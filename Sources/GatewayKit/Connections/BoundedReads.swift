import NIOCore

/// Limits the bytes of one read from a socket. The length of a buffer is a power of two, so it cannot be the limit.
///
/// TLS delivers the bytes of one read together with the rest of an earlier record. If both fit into one buffer of the
/// usual length, the bytes stay in one piece, and a receiver that keeps them keeps no mostly empty buffer.
struct BoundedReads: RecvByteBufferAllocator {
    let bytesMax: Int

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        var buffer = allocator.buffer(capacity: bytesMax)
        let surplus = buffer.writableBytes - bytesMax
        buffer.moveWriterIndex(forwardBy: surplus)
        buffer.moveReaderIndex(forwardBy: surplus)
        return buffer
    }

    /// Keeps no buffer for the next read: a kept buffer would be read up to its full length.
    func nextBufferSize() -> Int? { nil }

    /// - Returns: whether the next buffer may be longer; if not, the channel keeps its present buffer.
    func record(actualReadBytes: Int) -> Bool { true }
}
