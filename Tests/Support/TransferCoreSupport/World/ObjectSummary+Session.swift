package import TransferCommon

extension ObjectSummary {
    /// An object whose metadata name only the session that wrote it. If `session` is `nil`, the object has no metadata.
    package init(
        size: UInt64, partBytes: UInt64, evidence: ContentEvidence, etag: String, version: String, session: SessionID?,
        isVerified: Bool = false
    ) {
        let metadata = session.map {
            ObjectMetadata(
                session: $0, partBytes: partBytes, modification: ModificationTime(seconds: 0, nanoseconds: 0))
        }
        self.init(
            size: size, partBytes: partBytes, evidence: evidence, etag: etag, version: version, metadata: metadata,
            isVerified: isVerified)
    }
}
