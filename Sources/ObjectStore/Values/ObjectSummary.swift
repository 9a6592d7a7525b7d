package import FoundationEssentials
package import NIOCore
package import TransferCommon

/// What a store knows of an object without reading the object's bytes.
package struct ObjectSummary: Hashable, Sendable {
    package var size: UInt64
    /// The ETag with its quotes, whose content has no meaning for the caller; `nil` if the store gives none.
    package var etag: String?
    /// The version id, if the bucket keeps versions.
    package var version: String?
    /// The time at which the object was stored, by the store's clock; `nil` if the store does not report it.
    package var modified: Date?
    /// The metadata that a gateway stored with the object; `nil` if another program made the object, or if the store
    /// keeps no metadata.
    package var metadata: ObjectMetadata?
    /// The store's evidence of the content.
    package var evidence: ObjectEvidence
    /// Whether the store itself has compared the SHA-256 in `evidence` with the bytes. `false` for a digest from the
    /// metadata, which only says what the writer claims, and for every MD5.
    package var isEvidenceChecked: Bool

    package init(
        size: UInt64, etag: String?, version: String?, modified: Date?, metadata: ObjectMetadata?,
        evidence: ObjectEvidence, isEvidenceChecked: Bool
    ) {
        self.size = size
        self.etag = etag
        self.version = version
        self.modified = modified
        self.metadata = metadata
        self.evidence = evidence
        self.isEvidenceChecked = isEvidenceChecked
    }
}

/// A store's evidence of an object's content. An agent can compute each kind from its file and so compare the file with
/// the object.
package enum ObjectEvidence: Hashable, Sendable {
    /// SHA-256 over the part digests in order (the root digest), which depends on the part size.
    case compositeSHA256(root: SHA256Digest, partBytes: UInt64, partCount: UInt32)
    /// SHA-256 of the whole object.
    case partDigest(SHA256Digest)
    /// S3's own ETag, `<MD5 of the parts' MD5s>-<count>`, converted to lower case and without quotes.
    case compositeMD5(etag: String, partBytes: UInt64)
    /// The store keeps no reliable evidence. Only reading the object shows its content.
    case none
}

/// A store's answer after it has created an object.
package struct ObjectReceipt: Hashable, Sendable {
    /// The ETag with its quotes, whose content has no meaning for the caller; `nil` if the store gives none.
    package var etag: String?
    /// The version id, if the bucket keeps versions.
    package var version: String?
    /// The evidence of the object's content that the store confirmed.
    package var evidence: ObjectEvidence

    package init(etag: String?, version: String?, evidence: ObjectEvidence) {
        self.etag = etag
        self.version = version
        self.evidence = evidence
    }
}

/// An open object with its summary and its bytes. If the key gets another object meanwhile, summary and bytes are still
/// those of the opened object.
package struct ObjectReader: Sendable {
    /// The type of `bytes`: a sequence that ends after exactly `summary.size` bytes, or throws.
    package typealias Bytes = any AsyncSequence<ByteBuffer, StoreError> & Sendable

    /// The summary of the object that has these bytes.
    package let summary: ObjectSummary
    /// The object's bytes, in buffers of the store's choice.
    package let bytes: Bytes

    package init(summary: ObjectSummary, bytes: Bytes) {
        self.summary = summary
        self.bytes = bytes
    }
}
