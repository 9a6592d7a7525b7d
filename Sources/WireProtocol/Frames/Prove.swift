package import TransferCommon

/// The agent asks whether the store has an object with a file's content under a key. It sends only digests, not the
/// content (specification §4.25, §9.6).
package struct Prove: Hashable, Sendable {
    /// Size of the file in bytes.
    package let size: UInt64
    /// The part size with which `root` was computed, at least 1.
    package let partBytes: UInt64
    /// The file's root digest.
    package let root: SHA256Digest
    /// The key relative to the device's prefix. The gateway checks its length and form (§6.2).
    package let key: String
    /// Whether the gateway may read the object back if no other evidence shows its content.
    package let readsBack: Bool

    package init(size: UInt64, partBytes: UInt64, root: SHA256Digest, key: String, readsBack: Bool) {
        self.size = size
        self.partBytes = partBytes
        self.root = root
        self.key = key
        self.readsBack = readsBack
    }
}

extension Prove: FrameBody {
    /// The header flag for `readsBack`.
    static let readsBackFlag: UInt8 = 1 << 0

    static var type: FrameType { .prove }

    var flags: UInt8 { readsBack ? Self.readsBackFlag : 0 }

    func encode(into writer: inout BodyWriter) throws(WireError) {
        guard partBytes >= 1 else { throw writer.badValue("partBytes") }
        writer.integer(size)
        writer.integer(partBytes)
        writer.sha256(root)
        try writer.text16(key, "key")
    }

    init(from reader: inout BodyReader) throws(WireError) {
        readsBack = reader.flags & Self.readsBackFlag != 0
        size = try reader.integer()
        partBytes = try reader.integer()
        guard partBytes >= 1 else { throw reader.badValue("partBytes") }
        root = try reader.sha256()
        key = try reader.text16("key")
    }
}
