/// Evidence that shows an object's content without reading the object. An agent can compute each kind from its file,
/// and so compare the file with the object.
package enum ContentEvidence: Hashable, Sendable {
    /// There is no reliable evidence. Only reading the object shows its content.
    case none
    /// The root digest: SHA-256 over the part digests in order. It depends on the part size.
    case root(SHA256Digest)
    /// SHA-256 of the whole content.
    case wholeDigest(SHA256Digest)
    /// An ETag without quotes: the MD5, in lower-case hexadecimal digits, of the concatenated MD5s of the parts, then
    /// "-" and the number of parts. It depends on the part size.
    case compositeMD5(String)
}

extension ContentEvidence {
    /// Whether the evidence of the same content is different for another part size.
    package var dependsOnPartBytes: Bool {
        switch self {
        case .root, .compositeMD5: true
        case .wholeDigest, .none: false
        }
    }
}
