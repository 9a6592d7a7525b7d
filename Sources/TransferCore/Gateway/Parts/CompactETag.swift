import TransferCommon

/// The ETag of a stored part in 16 bytes. Most stores give a part the MD5 of its bytes as its ETag, and the file store
/// gives it the digest. Such an ETag as a string takes 80 to 112 bytes more, for each part of each session.
enum CompactETag: Hashable, Sendable {
    /// 32 lower-case hexadecimal digits.
    case digits(MD5Digest)
    /// The same in quotes.
    case quotedDigits(MD5Digest)
    /// The digest of the part, in lower-case hexadecimal digits and quotes.
    case quotedDigest
    case text(String)
    /// The store has named an ETag, and the budget had no room for it.
    case unkept

    /// - Parameter digest: the digest of the part, if the gateway knows it.
    init(_ etag: String, digest: SHA256Digest?) {
        var etag = etag
        self = etag.withUTF8 { Self.compact($0, digest: digest) } ?? .text(etag)
    }

    private static func compact(_ text: UnsafeBufferPointer<UInt8>, digest: SHA256Digest?) -> CompactETag? {
        let quote = UInt8(ascii: "\"")
        let isQuoted = text.count > 2 && text.first == quote && text.last == quote
        let digits = isQuoted ? text[1..<text.count - 1] : text[...]
        switch digits.count {
        case 2 * MD5Digest.byteCount:
            let md5 = withBytes(of: digits) { MD5Digest(bytes: $0) }
            return md5.map { isQuoted ? .quotedDigits($0) : .digits($0) }
        case 2 * SHA256Digest.byteCount where isQuoted && digest != nil:
            return withBytes(of: digits) { SHA256Digest(bytes: $0) } == digest ? .quotedDigest : nil
        default: return nil
        }
    }

    /// Calls `body` with the bytes that lower-case hexadecimal digits stand for; `nil` if a character is no such
    /// digit. The bytes are on the stack, because this runs for each part of each list.
    private static func withBytes<Result>(
        of digits: Slice<UnsafeBufferPointer<UInt8>>, _ body: (UnsafeMutableBufferPointer<UInt8>) -> Result?
    ) -> Result? {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: digits.count / 2) { bytes in
            bytes.initialize(repeating: 0)
            for (index, digit) in digits.enumerated() {
                let value: UInt8
                switch digit {
                case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit - UInt8(ascii: "0")
                case UInt8(ascii: "a")...UInt8(ascii: "f"): value = digit - UInt8(ascii: "a") + 10
                default: return nil
                }
                bytes[index / 2] = bytes[index / 2] << 4 | value
            }
            return body(bytes)
        }
    }

    /// The text of the ETag; `nil` if the budget had no room for it.
    func text(digest: SHA256Digest?) -> String? {
        switch self {
        case .digits(let md5): md5.description
        case .quotedDigits(let md5): "\"\(md5)\""
        case .quotedDigest: digest.map { "\"\($0)\"" }
        case .text(let text): text
        case .unkept: nil
        }
    }

    /// Memory outside the value: a string of more than 15 bytes takes a block of its own.
    var outsideBytes: UInt64 {
        guard case .text(let text) = self, text.utf8.count > 15 else { return 0 }
        return UInt64(48 + text.utf8.count)
    }
}
