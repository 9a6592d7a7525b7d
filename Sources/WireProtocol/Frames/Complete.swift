package import TransferCommon

/// The agent states the content of the whole file, so that the gateway completes the object (specification §4.18, §9).
/// For a file of several parts, PART LIST frames precede this frame.
package struct Complete: Hashable, Sendable {
    /// The root digest, computed with the part size of the session.
    package let root: SHA256Digest
    /// Number of parts, from 1.
    package let partCount: UInt32
    /// Bytes of the file.
    package let size: UInt64
    /// Whether the agent sends COMPLETE for the first time in this session. If so, no gateway can already be completing
    /// the session.
    package let isFirst: Bool

    package init(root: SHA256Digest, partCount: UInt32, size: UInt64, isFirst: Bool = false) {
        self.root = root
        self.partCount = partCount
        self.size = size
        self.isFirst = isFirst
    }
}

extension Complete: FrameBody {
    /// The header flag for `isFirst`.
    static let firstFlag: UInt8 = 1 << 0

    var flags: UInt8 { isFirst ? Self.firstFlag : 0 }

    static var type: FrameType { .complete }

    func encode(into writer: inout BodyWriter) throws(WireError) {
        guard partCount >= 1 else { throw writer.badValue("partCount") }
        writer.sha256(root)
        writer.integer(partCount)
        writer.integer(size)
    }

    init(from reader: inout BodyReader) throws(WireError) {
        isFirst = reader.flags & Self.firstFlag != 0
        root = try reader.sha256()
        partCount = try reader.integer()
        guard partCount >= 1 else { throw reader.badValue("partCount") }
        size = try reader.integer()
    }
}
