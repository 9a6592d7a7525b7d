package import TransferCommon

/// The agent offers a part before it sends the part's data (specification §4.10, §7.1).
package struct PartOffer: Hashable, Sendable {
    package let part: PartNumber
    /// Size of the part in plain bytes. This type does not compare it with the session terms.
    package let size: UInt64
    /// Whether this is the file's last part.
    package let isLast: Bool
    package let digest: SHA256Digest
    /// MD5 of the part, for stores that keep no SHA-256.
    package let md5: MD5Digest?

    package init(part: PartNumber, size: UInt64, isLast: Bool, digest: SHA256Digest, md5: MD5Digest?) {
        self.part = part
        self.size = size
        self.isLast = isLast
        self.digest = digest
        self.md5 = md5
    }
}

extension PartOffer: FrameBody {
    /// The header flag for `isLast`.
    static let lastFlag: UInt8 = 1 << 0
    /// The header flag that says that `md5` is present.
    static let md5Flag: UInt8 = 1 << 1

    static var type: FrameType { .partOffer }

    var flags: UInt8 { (isLast ? Self.lastFlag : 0) | (md5 == nil ? 0 : Self.md5Flag) }

    func encode(into writer: inout BodyWriter) throws(WireError) {
        writer.partNumber(part)
        writer.integer(size)
        writer.sha256(digest)
        if let md5 { writer.md5(md5) }
    }

    init(from reader: inout BodyReader) throws(WireError) {
        isLast = reader.flags & Self.lastFlag != 0
        part = try reader.partNumber("part")
        size = try reader.integer()
        digest = try reader.sha256()
        md5 = reader.flags & Self.md5Flag == 0 ? nil : try reader.md5()
    }
}
