package import TransferCommon

/// A stored part, as the sender of the list knows it.
package struct PartListEntry: Hashable, Sendable {
    package let part: PartNumber
    /// Size of the part in plain bytes.
    package let size: UInt64
    /// SHA-256 of the part; `nil` if the store keeps none.
    package let digest: SHA256Digest?
    /// The part's ETag, 1 to 1,024 bytes.
    package let etag: String

    package init(part: PartNumber, size: UInt64, digest: SHA256Digest?, etag: String) {
        self.part = part
        self.size = size
        self.digest = digest
        self.etag = etag
    }
}

/// One page of a list of parts (specification §4.17).
package struct PartList: Hashable, Sendable {
    /// The parts, ascending by part number. This type does not check whether the page continues the page before.
    package let entries: [PartListEntry]
    /// Whether this is the last page.
    package let isLast: Bool

    package init(entries: [PartListEntry], isLast: Bool) {
        self.entries = entries
        self.isLast = isLast
    }

    /// Splits entries into as few pages as possible. `entries` must ascend by part number. If it is empty, there is no
    /// page.
    package static func pages(of entries: [PartListEntry]) -> [PartList] {
        var pages: [PartList] = []
        var page: [PartListEntry] = []
        var bodyBytes = countBytes
        for entry in entries {
            if !page.isEmpty, bodyBytes + entry.bodyBytes > type.bodyBytesMax {
                pages.append(PartList(entries: page, isLast: false))
                page = []
                bodyBytes = countBytes
            }
            page.append(entry)
            bodyBytes += entry.bodyBytes
        }
        if !page.isEmpty {
            pages.append(PartList(entries: page, isLast: true))
        }
        return pages
    }
}

extension PartListEntry {
    /// Length of the entry on a page in bytes: part, size, digestPresent, digest, and the ETag with its count.
    package var bodyBytes: Int { 4 + 8 + 1 + SHA256Digest.byteCount + 2 + etag.utf8.count }
}

extension PartList {
    /// Length of the frame in bytes, header included.
    package var frameBytes: Int {
        entries.reduce(WireLimits.headerBytes + Self.countBytes) { $0 + $1.bodyBytes }
    }
}

extension PartList: FrameBody {
    /// The header flag for `isLast`.
    static let lastFlag: UInt8 = 1 << 0

    fileprivate static let countBytes = 2

    static var type: FrameType { .partList }

    var flags: UInt8 { isLast ? Self.lastFlag : 0 }

    func encode(into writer: inout BodyWriter) throws(WireError) {
        guard let count = UInt16(exactly: entries.count) else { throw writer.badValue("count") }
        guard isAscending(entries.lazy.map(\.part)) else { throw writer.badValue("part") }
        writer.integer(count)
        for entry in entries {
            writer.partNumber(entry.part)
            writer.integer(entry.size)
            if let digest = entry.digest {
                writer.integer(1 as UInt8)
                writer.sha256(digest)
            } else {
                writer.integer(0 as UInt8)
                for _ in 0..<SHA256Digest.byteCount { writer.integer(0 as UInt8) }
            }
            try writer.text16(entry.etag, "etag", 1...WireLimits.partETagBytesMax)
        }
    }

    init(from reader: inout BodyReader) throws(WireError) {
        isLast = reader.flags & Self.lastFlag != 0
        let count: UInt16 = try reader.integer()
        var previous: PartNumber?
        entries = try reader.list(count: Int(count)) { reader throws(WireError) in
            let part = try reader.partNumber("part")
            if let previous, previous >= part { throw reader.badValue("part") }
            previous = part
            return PartListEntry(
                part: part, size: try reader.integer(), digest: try Self.digest(from: &reader),
                etag: try reader.text16("etag", 1...WireLimits.partETagBytesMax))
        }
    }

    private static func digest(from reader: inout BodyReader) throws(WireError) -> SHA256Digest? {
        let present: UInt8 = try reader.integer()
        guard present <= 1 else { throw reader.badValue("digestPresent") }
        let digest = try reader.sha256()
        if present == 1 { return digest }
        guard digest.bytes.allSatisfy({ $0 == 0 }) else { throw reader.badValue("digest") }
        return nil
    }
}
