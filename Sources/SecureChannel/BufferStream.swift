import COpenSSL
import Cryptography
import NIOCore

/// Owns one `BIO` of OpenSSL and frees it. It connects OpenSSL with two `ByteBuffer`s: received cipher text that
/// OpenSSL has not read, and cipher text that OpenSSL wrote and that is still to be sent.
///
/// It never blocks: reading from an empty buffer asks OpenSSL to try again later, and writing always succeeds.
struct BufferStream: ~Copyable {
    /// Valid for as long as this value lives. An OpenSSL call that keeps it takes a reference of its own.
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

    /// Cipher text that OpenSSL has not read yet.
    var inboundByteCount: Int { buffers.pointee.inbound.readableBytes }

    /// How many bytes OpenSSL has read since `forgetReadByteCount`. These belong to an incomplete record that OpenSSL
    /// holds.
    var readByteCount: Int { buffers.pointee.readByteCount }

    /// Called when OpenSSL has returned a whole record, and so holds no bytes of the next one.
    func forgetReadByteCount() {
        buffers.pointee.readByteCount = 0
    }

    /// Adds cipher text from the network. If OpenSSL has read all earlier bytes, the new bytes are not copied.
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

    /// Removes and returns everything that OpenSSL has written since the last call; `nil` where it wrote nothing.
    func takeOutbound() -> ByteBuffer? {
        guard buffers.pointee.outbound.readableBytes > 0 else { return nil }
        let bytes = buffers.pointee.outbound
        buffers.pointee.outbound = ByteBuffer()
        return bytes
    }

    deinit {
        // OpenSSL may hold a reference for longer, but no longer uses the stream.
        BIO_set_data(stream, nil)
        BIO_free(stream)
        buffers.deinitialize(count: 1)
        buffers.deallocate()
    }
}

// What OpenSSL calls, through `BufferStreamMethod`.

extension BufferStream {
    /// - Returns: 1; or 0 if no bytes are there, and then the stream is marked so that OpenSSL tries again later.
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
        // A large buffer is freed as soon as it has been read, not when the next one arrives.
        if buffers.pointee.inbound.readableBytes == 0 { buffers.pointee.inbound = ByteBuffer() }
        return 1
    }

    /// - Returns: 1, because all bytes are accepted.
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
