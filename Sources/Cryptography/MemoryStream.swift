import COpenSSL

/// The one owner of a `BIO` in memory, through which OpenSSL reads and writes PEM.
package struct MemoryStream: ~Copyable {
    package let stream: OpaquePointer

    /// The memory is overwritten before it is given back.
    /// - Parameter bytes: what OpenSSL shall read. None, where it shall write.
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

    /// What OpenSSL wrote.
    package func contents() -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: BIO_ctrl_pending(stream))
        guard let length = Int32(exactly: bytes.count), BIO_read(stream, &bytes, length) == length else { return nil }
        return bytes
    }

    deinit {
        BIO_free(stream)
    }
}
