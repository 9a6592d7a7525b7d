import NIOCore

/// Limits the bytes of one read from a socket. The length of the buffer cannot serve as this limit, because the
/// allocator rounds it up to a power of two.
///
/// TLS delivers the bytes of one read together with the rest of an earlier record. If both fit into one buffer of the
/// usual length, TLS delivers one full piece. Otherwise the excess goes into a second buffer that is mostly empty, and
/// a receiver that keeps the few bytes keeps the whole buffer.
struct BoundedReads: RecvByteBufferAllocator {
    let bytesMax: Int

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        var buffer = allocator.buffer(capacity: bytesMax)
        let surplus = buffer.writableBytes - bytesMax
        buffer.moveWriterIndex(forwardBy: surplus)
        buffer.moveReaderIndex(forwardBy: surplus)
        return buffer
    }

    /// Returns `nil`, so that the channel asks `buffer` for a new buffer before each read. The channel would fill a
    /// reused buffer up to its full length, beyond `bytesMax`.
    func nextBufferSize() -> Int? { nil }

    /// Returns `true`, which means that the next buffer may be longer. After `false` the channel would use its present
    /// buffer again.
    func record(actualReadBytes: Int) -> Bool { true }
}
