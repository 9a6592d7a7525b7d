package import TransferCommon

/// Computes evidence from bytes, as the agent's shell does.
package enum VirtualEvidence {
    package static func compute(_ bytes: [UInt8], partBytes: UInt64, like: ContentEvidence) -> ContentEvidence {
        switch like {
        case .none: .none
        case .wholeDigest: .wholeDigest(ToyDigest.sha256(bytes))
        case .root: .root(ToyDigest.root(parts(bytes, partBytes).map { ToyDigest.sha256($0) }))
        case .compositeMD5: .compositeMD5(parts(bytes, partBytes).map { ToyDigest.md5($0).description }.joined())
        }
    }

    private static func parts(_ bytes: [UInt8], _ partBytes: UInt64) -> [ArraySlice<UInt8>] {
        guard !bytes.isEmpty, partBytes > 0 else { return [[]] }
        return stride(from: 0, to: bytes.count, by: Int(partBytes)).map {
            bytes[$0..<min($0 + Int(partBytes), bytes.count)]
        }
    }
}

extension VirtualStore {
    /// What the store keeps of an object's content.
    package enum Keeping: Sendable, CaseIterable {
        /// The store keeps the digests of parts, and its listings contain them.
        case digests
        /// The store keeps the MD5s of parts, which are their ETags.
        case md5
        /// The store keeps no evidence, but a gateway can read objects back.
        case nothingButReadsBack
        /// The store keeps no evidence, and reading an object back gives none either.
        case nothing
    }
}
