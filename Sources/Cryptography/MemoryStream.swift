import COpenSSL

/// Owns one in-memory `BIO` of OpenSSL, which reads and writes PEM through it, and frees it.
package struct MemoryStream: ~Copyable {
    package let stream: OpaquePointer

    /// OpenSSL overwrites the memory before it frees it.
    /// - Parameter bytes: what OpenSSL is to read; empty if it is to write.
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

    /// What OpenSSL wrote; `nil` where OpenSSL failed.
    package func contents() -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: BIO_ctrl_pending(stream))
        guard let length = Int32(exactly: bytes.count), BIO_read(stream, &bytes, length) == length else { return nil }
        return bytes
    }

    deinit {
        BIO_free(stream)
    }
}
