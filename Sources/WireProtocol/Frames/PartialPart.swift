package import TransferCommon

/// A part of which the gateway holds the first bytes, and which no connection is sending now. A frame that names a
/// partial part has, in its slot, the same effect as the decision *send* about that part: the agent may continue the
/// part (specification §8.1).
package struct PartialPart: Hashable, Sendable {
    package let part: PartNumber
    /// The digest of the whole part, as its PART OFFER gave it.
    package let digest: SHA256Digest
    /// The gateway holds the bytes of the part before this offset.
    package let offset: ByteOffset
    /// The agent may send the bytes of the part before this offset.
    package let limit: ByteOffset

    package init(part: PartNumber, digest: SHA256Digest, offset: ByteOffset, limit: ByteOffset) {
        self.part = part
        self.digest = digest
        self.offset = offset
        self.limit = limit
    }
}

extension BodyWriter {
    /// Writes the field `partials` of RESUME STATE and SESSION OPENED.
    mutating func partials(_ partials: [PartialPart]) throws(WireError) {
        guard partials.count <= WireLimits.partialPartsMax else { throw badValue("partials") }
        integer(UInt16(partials.count))
        for partial in partials {
            partNumber(partial.part)
            sha256(partial.digest)
            integer(partial.offset)
            integer(partial.limit)
        }
    }
}

extension BodyReader {
    /// Reads the field `partials` of RESUME STATE and SESSION OPENED.
    mutating func partials() throws(WireError) -> [PartialPart] {
        let count: UInt16 = try integer()
        guard count <= WireLimits.partialPartsMax else { throw badValue("partials") }
        return try list(count: Int(count)) { reader throws(WireError) in
            PartialPart(
                part: try reader.partNumber("part"), digest: try reader.sha256(), offset: try reader.integer(),
                limit: try reader.integer())
        }
    }
}
