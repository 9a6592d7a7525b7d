package import FoundationEssentials
package import NIOCore
package import TransferCommon

/// What a store knows of an object without reading it.
package struct ObjectSummary: Hashable, Sendable {
    package var size: UInt64
    /// The ETag, as opaque text with its quotes; `nil` if the store gives none.
    package var etag: String?
    /// The version id, if the bucket keeps versions.
    package var version: String?
    /// Time of storing, by the store's clock.
    package var modified: Date
    /// `nil` if another program made the object, or if the store keeps no metadata.
    package var metadata: ObjectMetadata?
    /// The store's evidence of the content.
    package var evidence: ObjectEvidence
    /// Whether the store itself has compared the SHA-256 in `evidence` with the bytes. False for a digest from the
    /// metadata, which is only the writer's claim, and for every MD5.
    package var isEvidenceChecked: Bool

    package init(
        size: UInt64, etag: String?, version: String?, modified: Date, metadata: ObjectMetadata?,
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

/// A store's evidence of an object's content. Each kind can be computed from the file.
package enum ObjectEvidence: Hashable, Sendable {
    /// SHA-256 over the part digests in order (the root digest), which depends on the part size.
    case compositeSHA256(root: SHA256Digest, partBytes: UInt64, partCount: UInt32)
    /// SHA-256 of the whole object.
    case partDigest(SHA256Digest)
    /// S3's own ETag, `<MD5 of the parts' MD5s>-<count>`, converted to lower case and without quotes.
    case compositeMD5(etag: String, partBytes: UInt64)
    /// No reliable evidence. Only reading the object shows its content.
    case none
}

/// A store's answer after it has created an object.
package struct ObjectReceipt: Hashable, Sendable {
    /// The ETag, as opaque text with its quotes; `nil` if the store gives none.
    package var etag: String?
    /// The version id, if the bucket keeps versions.
    package var version: String?
    /// The evidence that the store confirmed.
    package var evidence: ObjectEvidence

    package init(etag: String?, version: String?, evidence: ObjectEvidence) {
        self.etag = etag
        self.version = version
        self.evidence = evidence
    }
}

/// An open object: its summary and its bytes. If the object under the key is replaced meanwhile, neither of them
/// changes.
package struct ObjectReader: Sendable {
    /// The type that readers iterate. It ends after exactly `summary.size` bytes, or throws.
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
