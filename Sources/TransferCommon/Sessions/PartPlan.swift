/// How a file is divided into parts. All parts have one size, except that the last may be smaller (specification §1).
///
/// An empty file is one empty part. A stream has no known size; the number of its parts is known only at its end.
package struct PartPlan: Hashable, Sendable {
    /// Size of the file in bytes; `nil` for a stream that has not ended yet.
    package private(set) var fileBytes: UInt64?
    package let partBytes: UInt64
    /// Whether the size was unknown at the start. A stream is sent as a multipart session, even if it ends within its
    /// first part.
    package let isStream: Bool

    /// - Parameters:
    ///   - fileBytes: size of the file; `nil` for a stream.
    ///   - partBytes: size of each part except the last, at least 1. For 0 the result is `nil`.
    package init?(fileBytes: UInt64?, partBytes: UInt64) {
        guard partBytes > 0 else { return nil }
        if let fileBytes, fileBytes > 0, (fileBytes - 1) / partBytes >= UInt64(UInt32.max) { return nil }
        self.fileBytes = fileBytes
        self.partBytes = partBytes
        self.isStream = fileBytes == nil
    }

    /// Records that a stream has ended, and its size.
    package mutating func ended(after bytes: UInt64) {
        if isStream { fileBytes = bytes }
    }

    /// Number of parts, at least 1; `nil` for a stream that has not ended yet.
    package var partCount: UInt32? {
        guard let fileBytes else { return nil }
        guard fileBytes > 0 else { return 1 }
        return UInt32(clamping: (fileBytes - 1) / partBytes + 1)
    }

    /// Whether the file is a single part. The gateway stores a one-part file by a single PutObject request.
    package var isOnePart: Bool { !isStream && partCount == 1 }

    /// Whether the part is the last one. Always `false` for a stream that has not ended yet.
    package func isLast(_ part: PartNumber) -> Bool { part.value == partCount }

    /// Size of the part in bytes; `nil` if the file has no part with this number. For a stream that has not ended yet,
    /// `partBytes`.
    package func bytes(of part: PartNumber) -> UInt64? {
        guard let fileBytes, let partCount else { return partBytes }
        guard part.value <= partCount else { return nil }
        return part.value < partCount ? partBytes : fileBytes - UInt64(partCount - 1) * partBytes
    }

    /// Byte offset of the part within the file.
    package func start(of part: PartNumber) -> UInt64 {
        UInt64(part.value - 1).multipliedReportingOverflow(by: partBytes).partialValue
    }
}

/// The bounds for part sizes, as WELCOME contains them (specification §4.2). They depend on the store.
package struct PartRule: Hashable, Sendable {
    package var partBytesMin: UInt64
    package var partBytesMax: UInt64
    package var partBytesDefault: UInt64
    package var partsMax: UInt32
    package var objectBytesMax: UInt64

    package init(
        partBytesMin: UInt64, partBytesMax: UInt64, partBytesDefault: UInt64, partsMax: UInt32, objectBytesMax: UInt64
    ) {
        self.partBytesMin = partBytesMin
        self.partBytesMax = partBytesMax
        self.partBytesDefault = partBytesDefault
        self.partsMax = partsMax
        self.objectBytesMax = objectBytesMax
    }

    /// The reason why no part size can be chosen.
    package enum Refusal: Error, Equatable, Sendable {
        /// The user's part size `wish` is outside the bounds.
        case partSizeOutOfBounds(wish: UInt64)
        /// With the user's part size `wish`, the file would have too many parts. `needed` is the smallest part size
        /// that gives few enough parts.
        case partSizeTooSmall(wish: UInt64, needed: UInt64)
        /// The file is too large for every allowed part size. The largest allowed file has `most` bytes.
        case fileTooLarge(most: UInt64)
    }

    /// Chooses the part size for a file: the user's choice, or else the default. If the default would give more than
    /// `partsMax` parts, chooses the smallest size in whole MiB that gives at most `partsMax` parts, but no more than
    /// `partBytesMax`.
    ///
    /// - Parameters:
    ///   - fileBytes: size of the file; `nil` for a stream. A stream gets the user's size or the default, and can have
    ///     at most `partsMax` parts.
    ///   - wish: the part size that the user has chosen, if any. It is used unchanged or refused.
    package func partBytes(fileBytes: UInt64?, wish: UInt64?) throws(Refusal) -> UInt64 {
        if let wish, wish < partBytesMin || wish > partBytesMax { throw .partSizeOutOfBounds(wish: wish) }
        guard let fileBytes, fileBytes > 0 else { return wish ?? partBytesDefault }
        let needed = bytesNeeded(for: fileBytes)
        guard fileBytes <= objectBytesMax, needed <= partBytesMax else { throw .fileTooLarge(most: bytesMax) }
        if let wish {
            guard wish >= needed else { throw .partSizeTooSmall(wish: wish, needed: needed) }
            return wish
        }
        guard needed > partBytesDefault else { return partBytesDefault }
        let mebibyte: UInt64 = 1 << 20
        let rounded = ((needed - 1) / mebibyte + 1).multipliedReportingOverflow(by: mebibyte)
        return rounded.overflow ? partBytesMax : min(rounded.partialValue, partBytesMax)
    }

    /// The smallest part size with which a file of this size has at most `partsMax` parts; `partBytesMax` for a file
    /// that is too large.
    package func smallestPartBytes(fileBytes: UInt64) -> UInt64 {
        min(max(bytesNeeded(for: fileBytes), partBytesMin), partBytesMax)
    }

    /// The part size below which a file has more than `partsMax` parts.
    private func bytesNeeded(for fileBytes: UInt64) -> UInt64 {
        fileBytes > 0 ? (fileBytes - 1) / UInt64(max(partsMax, 1)) + 1 : 0
    }

    /// Whether the bounds allow a session with this file size and part size.
    package func allows(fileBytes: UInt64?, partBytes: UInt64) -> Bool {
        guard partBytes >= partBytesMin, partBytes <= partBytesMax else { return false }
        guard let fileBytes else { return true }
        guard fileBytes <= objectBytesMax, let plan = PartPlan(fileBytes: fileBytes, partBytes: partBytes) else {
            return false
        }
        return (plan.partCount ?? .max) <= partsMax
    }

    private var bytesMax: UInt64 {
        let product = partBytesMax.multipliedReportingOverflow(by: UInt64(partsMax))
        return product.overflow ? objectBytesMax : min(product.partialValue, objectBytesMax)
    }
}
