import COpenSSL
import Cryptography
import NIOCore

/// The one owner of a `BIO` between OpenSSL and two `ByteBuffer`s: cipher text that came in and OpenSSL has not read,
/// and cipher text that OpenSSL wrote and nobody has taken.
///
/// It never waits: reading more than there is asks OpenSSL to try again later, and writing always succeeds.
struct BufferStream: ~Copyable {
    /// Lent to OpenSSL calls only; those that keep it take a reference of their own.
    let stream: OpaquePointer

    /// At an address of their own, because OpenSSL's callbacks know them by it.
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

    /// How much OpenSSL has read since `forgetReadByteCount`: what it holds of a record that is not complete.
    var readByteCount: Int { buffers.pointee.readByteCount }

    /// Called when OpenSSL has given out a record, and so holds nothing of the next one.
    func forgetReadByteCount() {
        buffers.pointee.readByteCount = 0
    }

    /// Cipher text as it came from the network. Where all that came before has been read, nothing is copied.
    func append(_ bytes: ByteBuffer) {
        if buffers.pointee.inbound.readableBytes == 0 {
            buffers.pointee.inbound = bytes
        } else {
            buffers.pointee.inbound.writeImmutableBuffer(bytes)
        }
    }

    /// Makes room, so that what OpenSSL is about to write goes into one buffer without moving it.
    func reserveOutbound(byteCount: Int, allocator: ByteBufferAllocator) {
        if buffers.pointee.outbound.readableBytes == 0 {
            buffers.pointee.outbound = allocator.buffer(capacity: byteCount)
        } else {
            buffers.pointee.outbound.reserveCapacity(minimumWritableBytes: byteCount)
        }
    }

    /// All that OpenSSL has written since the last call; `nil` where it wrote nothing.
    func takeOutbound() -> ByteBuffer? {
        guard buffers.pointee.outbound.readableBytes > 0 else { return nil }
        let bytes = buffers.pointee.outbound
        buffers.pointee.outbound = ByteBuffer()
        return bytes
    }

    deinit {
        // OpenSSL may hold a reference for a while longer, but uses the stream no more.
        BIO_set_data(stream, nil)
        BIO_free(stream)
        buffers.deinitialize(count: 1)
        buffers.deallocate()
    }
}

// What OpenSSL calls, through `BufferStreamMethod`.

extension BufferStream {
    /// - Returns: 1, or 0 and a mark on the stream that there will be more later.
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
        // A big buffer that has been read is given back at once, not when the next one comes.
        if buffers.pointee.inbound.readableBytes == 0 { buffers.pointee.inbound = ByteBuffer() }
        return 1
    }

    /// - Returns: 1: all was taken.
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
