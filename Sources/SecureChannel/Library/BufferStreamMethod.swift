import COpenSSL

/// Owns one `BIO_METHOD` of OpenSSL and frees it: the functions that OpenSSL calls to read from a `BufferStream` and to
/// write to it.
///
/// `@unchecked Sendable` because the method never changes after it was made.
struct BufferStreamMethod: ~Copyable, @unchecked Sendable {
    /// One method for the whole process, because it has to exist for longer than every stream.
    static let shared = BufferStreamMethod()

    /// Pointer to the `BIO_METHOD`; `nil` if OpenSSL had no memory for it.
    let method: OpaquePointer?

    private init() {
        self.method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "ByteBuffer")
        guard let method else { return }
        BIO_meth_set_read_ex(method) { stream, space, byteCountMax, byteCount in
            guard let stream, let space, let byteCount else { return 0 }
            return BufferStream.read(from: stream, into: space, byteCountMax: byteCountMax, byteCount: byteCount)
        }
        BIO_meth_set_write_ex(method) { stream, bytes, bytesCount, byteCount in
            guard let stream, let bytes, let byteCount else { return 0 }
            byteCount.pointee = bytesCount
            return BufferStream.write(UnsafeRawBufferPointer(start: bytes, count: bytesCount), to: stream)
        }
        BIO_meth_set_ctrl(method) { _, command, _, _ in
            // A flush always succeeds, because the stream buffers nothing. Other commands are not supported.
            command == BIO_CTRL_FLUSH ? 1 : 0
        }
    }

    deinit {
        BIO_meth_free(method)
    }
}
