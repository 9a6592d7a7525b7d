/// The form in which a write carries a digest of its body, besides the signed `x-amz-content-sha256`.
///
/// A bucket with a default retention (Object Lock) refuses an object without a digest, and some stores refuse a form
/// that they do not know. The probe tries the forms.
package enum S3Checksum: Hashable, Sendable {
    case none
    /// The header `x-amz-checksum-sha256`.
    case sha256
    /// The headers `x-amz-checksum-sha256` and `x-amz-sdk-checksum-algorithm`. Some stores look for the second one.
    case sha256Named
    /// The header `Content-MD5`. The client sends it before the body, and cannot hash a large body before sending it.
    /// So a large body has the header only if the agent has sent the MD5.
    case md5

    /// Whether the write carries the SHA-256 in one of S3's checksum headers.
    var isSHA256: Bool { self == .sha256 || self == .sha256Named }

    /// The forms in the order in which the probe tries them. A SHA-256 is known before the first byte of each body, so
    /// it is better than an MD5.
    ///
    /// - Parameter keepsSHA256: whether the store is known to keep this checksum.
    static func candidates(keepsSHA256: Bool) -> [S3Checksum] {
        keepsSHA256 ? [.sha256, .sha256Named, .md5, .none] : [.none, .sha256, .sha256Named, .md5]
    }
}
