import FoundationEssentials
import TransferCommon

/// Parses digests in the text forms that S3 uses.
enum S3Digests {
    /// Parses `<base64>-<part count>`.
    static func compositeSHA256(_ text: String) -> (root: SHA256Digest, partCount: UInt32)? {
        guard let hyphen = text.lastIndex(of: "-"), let count = UInt32(text[text.index(after: hyphen)...]), count > 0,
            let root = sha256(base64: String(text[..<hyphen]))
        else { return nil }
        return (root, count)
    }

    static func sha256(base64 text: String) -> SHA256Digest? {
        Data(base64Encoded: text).flatMap { SHA256Digest(bytes: $0) }
    }

    /// Parses `"<32 hexadecimal digits>-<part count>"`; returns `nil` for any other ETag.
    ///
    /// - Returns: the ETag in lower case without quotes, and the part count.
    static func compositeMD5(etag: String) -> (etag: String, partCount: UInt32)? {
        let bare = etag.filter { $0 != "\"" }.lowercased()
        let halves = bare.split(separator: "-", omittingEmptySubsequences: false)
        guard halves.count == 2, MD5Digest(String(halves[0])) != nil, let count = UInt32(halves[1]), count > 0 else {
            return nil
        }
        return (bare, count)
    }

    /// Whether an ETag, with or without quotes, is this MD5.
    static func isMD5(_ etag: String, _ md5: MD5Digest) -> Bool {
        etag.lowercased().filter { $0 != "\"" } == String(describing: md5)
    }
}
