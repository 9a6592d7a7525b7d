import COpenSSL
import Cryptography
import NIOCore

/// Owns one `BIO` of OpenSSL and frees it. The `BIO` connects OpenSSL with two `ByteBuffer`s. The inbound buffer holds
/// cipher text that has arrived and that OpenSSL has not read yet. The outbound buffer holds cipher text that OpenSSL
/// has written and that is still to be sent.
///
/// The stream never blocks. If OpenSSL reads while the inbound buffer is empty, the stream makes it try again later.
/// Writing always succeeds.
struct BufferStream: ~Copyable {
    /// Pointer to the `BIO`. It is valid for as long as this value lives. An OpenSSL function that keeps the pointer
    /// takes a reference of its own.
    let stream: OpaquePointer

    /// Allocated separately, because OpenSSL's callbacks need a stable address.
    private let buffers: UnsafeMutablePointer<Buffers>

    private struct Buffers {
        var inbound = ByteBuffer()
        var outbound = ByteBuffer()
        var readByteCount = 0
    }

    init() throws(CryptographyError) {
        guard let method = BufferStreamMethod.shared.method, let stream = BIO_new(method) else {
            throw CryptographyError(takingReasonFor: .makeTLSConnection)
        }
        self.buffers = .allocate(capacity: 1)
        buffers.initialize(to: Buffers())
        self.stream = stream
        BIO_set_data(stream, buffers)
        BIO_set_init(stream, 1)
    }

    /// Number of bytes of cipher text that have arrived and that OpenSSL has not read yet.
    var inboundByteCount: Int { buffers.pointee.inbound.readableBytes }

    /// Number of bytes that OpenSSL has read since the last `forgetReadByteCount`. OpenSSL holds these bytes as the
    /// beginning of an incomplete record.
    var readByteCount: Int { buffers.pointee.readByteCount }

    /// Sets `readByteCount` to 0. Called when OpenSSL has returned a complete record, because it then holds no bytes of
    /// the next record.
    func forgetReadByteCount() {
        buffers.pointee.readByteCount = 0
    }

    /// Adds cipher text from the network. If OpenSSL has read all earlier bytes, the new ones are not copied.
    func append(_ bytes: ByteBuffer) {
        if buffers.pointee.inbound.readableBytes == 0 {
            buffers.pointee.inbound = bytes
        } else {
            buffers.pointee.inbound.writeImmutableBuffer(bytes)
        }
    }

    /// Reserves capacity, so that OpenSSL's next output fits into the buffer without reallocation.
    func reserveOutbound(byteCount: Int, allocator: ByteBufferAllocator) {
        if buffers.pointee.outbound.readableBytes == 0 {
            buffers.pointee.outbound = allocator.buffer(capacity: byteCount)
        } else {
            buffers.pointee.outbound.reserveCapacity(minimumWritableBytes: byteCount)
        }
    }

    /// Removes and returns everything that OpenSSL has written since the last call; `nil` if it has written nothing.
    func takeOutbound() -> ByteBuffer? {
        guard buffers.pointee.outbound.readableBytes > 0 else { return nil }
        let bytes = buffers.pointee.outbound
        buffers.pointee.outbound = ByteBuffer()
        return bytes
    }

    deinit {
        // OpenSSL may keep its reference to the stream for longer. Remove the pointer, so that OpenSSL cannot reach the
        // buffers, which are freed here.
        BIO_set_data(stream, nil)
        BIO_free(stream)
        buffers.deinitialize(count: 1)
        buffers.deallocate()
    }
}

// The functions that OpenSSL calls, through `BufferStreamMethod`, to read and write.

extension BufferStream {
    /// Gives OpenSSL the next bytes of the inbound buffer.
    ///
    /// - Returns: 1 if bytes were read. 0 if there are none, with the flag that makes OpenSSL try again later.
    static func read(
        from stream: OpaquePointer, into space: UnsafeMutableRawPointer, byteCountMax: Int,
        byteCount: UnsafeMutablePointer<Int>
    ) -> Int32 {
        BIO_clear_flags(stream, BIO_FLAGS_READ | BIO_FLAGS_WRITE | BIO_FLAGS_SHOULD_RETRY)
        guard let buffers = buffers(of: stream), buffers.pointee.inbound.readableBytes > 0 else {
            BIO_set_flags(stream, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY)
            byteCount.pointee = 0
            return 0
        }
        byteCount.pointee = buffers.pointee.inbound.readWithUnsafeReadableBytes { bytes in
            let count = min(bytes.count, byteCountMax)
            UnsafeMutableRawBufferPointer(start: space, count: count)
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes.prefix(count)))
            return count
        }
        buffers.pointee.readByteCount += byteCount.pointee
        // Free a buffer as soon as it has been read. Otherwise a large one would stay in memory until the next bytes
        // arrive.
        if buffers.pointee.inbound.readableBytes == 0 { buffers.pointee.inbound = ByteBuffer() }
        return 1
    }

    /// Adds bytes from OpenSSL to the outbound buffer.
    ///
    /// - Returns: 1 for success. All bytes are always accepted.
    static func write(_ bytes: UnsafeRawBufferPointer, to stream: OpaquePointer) -> Int32 {
        BIO_clear_flags(stream, BIO_FLAGS_READ | BIO_FLAGS_WRITE | BIO_FLAGS_SHOULD_RETRY)
        guard let buffers = buffers(of: stream) else { return 0 }
        buffers.pointee.outbound.writeBytes(bytes)
        return 1
    }

    private static func buffers(of stream: OpaquePointer) -> UnsafeMutablePointer<Buffers>? {
        BIO_get_data(stream)?.assumingMemoryBound(to: Buffers.self)
    }
}
