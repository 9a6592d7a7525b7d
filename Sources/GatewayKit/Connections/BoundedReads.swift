import NIOCore

/// Limits the bytes of one read from a socket. The length of a buffer is rounded up to a power of two, so it cannot
/// serve as the limit.
///
/// TLS delivers the bytes of one read together with the rest of an earlier record. If both fit into one buffer of the
/// usual length, the bytes stay in one piece. A receiver that keeps them then does not keep a buffer that is mostly
/// empty.
struct BoundedReads: RecvByteBufferAllocator {
    let bytesMax: Int

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        var buffer = allocator.buffer(capacity: bytesMax)
        let surplus = buffer.writableBytes - bytesMax
        buffer.moveWriterIndex(forwardBy: surplus)
        buffer.moveReaderIndex(forwardBy: surplus)
        return buffer
    }

    /// Keeps no buffer for the next read, because the next read would use its full length and so exceed the limit.
    func nextBufferSize() -> Int? { nil }

    /// - Returns: whether the next buffer may be longer; if not, the channel keeps its present buffer.
    func record(actualReadBytes: Int) -> Bool { true }
}
