package import TransferCommon

/// A part whose first bytes the gateway holds while no connection sends it. It has the effect of the decision *send*
/// in the slot of the frame that names it (specification §8.1).
package struct PartialPart: Hashable, Sendable {
    package let part: PartNumber
    /// The digest of the whole part, from its offer.
    package let digest: SHA256Digest
    /// The gateway holds the bytes of the part below this offset.
    package let offset: ByteOffset
    /// The agent may send bytes of the part below this offset.
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
