import COpenSSL

/// Unpredictable bytes from OpenSSL's random generators.
package enum SecureRandom {
    /// Random bytes for values that are not secret, such as nonces and serial numbers.
    package static func publicBytes(count: Int) throws(CryptographyError) -> [UInt8] {
        try bytes(count: count, from: RAND_bytes)
    }

    /// Random bytes for keys. They come from a second generator, so that the public bytes say nothing about them.
    package static func secretBytes(count: Int) throws(CryptographyError) -> [UInt8] {
        try bytes(count: count, from: RAND_priv_bytes)
    }

    private static func bytes(
        count: Int, from generator: (UnsafeMutablePointer<UInt8>?, Int32) -> Int32
    ) throws(CryptographyError) -> [UInt8] {
        guard let length = Int32(exactly: count) else {
            throw CryptographyError(operation: .random, reason: "too many bytes at once")
        }
        var bytes = [UInt8](repeating: 0, count: count)
        guard generator(&bytes, length) == 1 else { throw CryptographyError(takingReasonFor: .random) }
        return bytes
    }
}
