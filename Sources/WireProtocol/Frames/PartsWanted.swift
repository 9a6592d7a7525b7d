package import TransferCommon

/// The gateway cannot complete the session yet: the agent must offer these parts again before its next COMPLETE
/// (specification §4.19, §9.1).
package struct PartsWanted: Hashable, Sendable {
    /// The numbers of 1 to 10,000 parts, ascending.
    package let parts: [PartNumber]

    package init(parts: [PartNumber]) {
        self.parts = parts
    }
}

extension PartsWanted: FrameBody {
    static var type: FrameType { .partsWanted }

    func encode(into writer: inout BodyWriter) throws(WireError) {
        guard (1...WireLimits.wantedPartsMax).contains(parts.count) else { throw writer.badValue("count") }
        guard isAscending(parts) else { throw writer.badValue("parts") }
        writer.integer(UInt32(parts.count))
        for part in parts {
            writer.partNumber(part)
        }
    }

    init(from reader: inout BodyReader) throws(WireError) {
        let count: UInt32 = try reader.integer()
        guard count >= 1, count <= WireLimits.wantedPartsMax else { throw reader.badValue("count") }
        var previous: PartNumber?
        parts = try reader.list(count: Int(count)) { reader throws(WireError) in
            let part = try reader.partNumber("parts")
            if let previous, previous >= part { throw reader.badValue("parts") }
            previous = part
            return part
        }
    }
}
