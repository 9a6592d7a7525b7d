import COpenSSL

/// Owns one in-memory `BIO` of OpenSSL and frees it. OpenSSL reads and writes PEM through it.
package struct MemoryStream: ~Copyable {
    package let stream: OpaquePointer

    /// The memory may contain a private key, so OpenSSL overwrites it before freeing it.
    /// - Parameter bytes: the bytes that OpenSSL shall read; empty if OpenSSL shall write.
    package init?(_ bytes: [UInt8] = []) {
        guard let length = Int32(exactly: bytes.count), let method = BIO_s_secmem(), let stream = BIO_new(method) else {
            return nil
        }
        guard bytes.isEmpty || BIO_write(stream, bytes, length) == length else {
            BIO_free(stream)
            return nil
        }
        self.stream = stream
    }

    /// The bytes that OpenSSL has written; `nil` if OpenSSL failed.
    package func contents() -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: BIO_ctrl_pending(stream))
        guard let length = Int32(exactly: bytes.count), BIO_read(stream, &bytes, length) == length else { return nil }
        return bytes
    }

    deinit {
        BIO_free(stream)
    }
}
