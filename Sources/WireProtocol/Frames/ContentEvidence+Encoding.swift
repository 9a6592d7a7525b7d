import TransferCommon

// The fields `evidenceKind` and `evidence` (specification §4.8).

extension ContentEvidence {
    private enum Kind: UInt8 {
        case none = 0
        case root = 1
        case wholeDigest = 2
        case compositeMD5 = 3

        var byteCounts: ClosedRange<Int> {
            switch self {
            case .none: 0...0
            case .root, .wholeDigest: SHA256Digest.byteCount...SHA256Digest.byteCount
            case .compositeMD5: anyCount16
            }
        }
    }

    /// Writes `evidenceKind` and `evidence`.
    func encode(into writer: inout BodyWriter) throws(WireError) {
        let (kind, bytes): (Kind, [UInt8]) =
            switch self {
            case .none: (.none, [])
            case .root(let digest): (.root, digest.bytes)
            case .wholeDigest(let digest): (.wholeDigest, digest.bytes)
            case .compositeMD5(let etag): (.compositeMD5, Array(etag.utf8))
            }
        writer.choice(kind)
        try writer.bytes16(bytes, "evidence", kind.byteCounts)
    }

    /// Reads `evidenceKind` and `evidence`.
    init(from reader: inout BodyReader) throws(WireError) {
        let kind: Kind = try reader.choice("evidenceKind")
        let bytes = try reader.bytes16("evidence", kind.byteCounts)
        switch kind {
        case .none:
            self = .none
        case .root, .wholeDigest:
            guard let digest = SHA256Digest(bytes: bytes) else { throw reader.badValue("evidence") }
            self = kind == .root ? .root(digest) : .wholeDigest(digest)
        case .compositeMD5:
            guard let etag = String(validating: bytes, as: UTF8.self) else {
                throw .badText(type: reader.type, field: "evidence")
            }
            self = .compositeMD5(etag)
        }
    }
}
