/// What a store knows of an object without reading the object's bytes.
package struct ObjectSummary: Hashable, Sendable {
    package var size: UInt64
    /// The part size in bytes that `evidence` depends on; 0 if it depends on none.
    package var partBytes: UInt64
    /// The store's evidence of the content.
    package var evidence: ContentEvidence
    /// The ETag with its quotes; empty if the store gives none. The caller does not interpret it.
    package var etag: String
    /// The version id; empty if the store keeps no versions.
    package var version: String
    /// The metadata that a gateway stored with the object; `nil` if another program made the object, or if the store
    /// keeps no metadata.
    package var metadata: ObjectMetadata?
    /// Whether `evidence` is verified: the store has compared the SHA-256 with the bytes, or the gateway has read the
    /// object back. A digest from the metadata only says what the writer claims, and an MD5 proves nothing, so neither
    /// counts as verified.
    package var isVerified: Bool

    package init(
        size: UInt64, partBytes: UInt64, evidence: ContentEvidence, etag: String, version: String,
        metadata: ObjectMetadata?, isVerified: Bool
    ) {
        self.size = size
        self.partBytes = partBytes
        self.evidence = evidence
        self.etag = etag
        self.version = version
        self.metadata = metadata
        self.isVerified = isVerified
    }

    /// The session that wrote the object; `nil` without metadata.
    package var session: SessionID? { metadata?.session }
}

/// What a store answers after it has made an object.
package struct StoredObject: Hashable, Sendable {
    /// The evidence of the object's content that the store confirmed.
    package var evidence: ContentEvidence
    /// The ETag with its quotes; empty if the store gives none. The caller does not interpret it.
    package var etag: String
    /// The version id; empty if the store keeps no versions.
    package var version: String
    /// Whether the gateway may sign `evidence` (specification §9.5). No store sets it: the session's machine knows
    /// which parts the gateway has checked.
    package var isVerified = false

    package init(evidence: ContentEvidence, etag: String, version: String) {
        self.evidence = evidence
        self.etag = etag
        self.version = version
    }
}
