package import FoundationEssentials
package import NIOCore
package import TransferCommon

/// What can be said of an object without reading it.
package struct ObjectSummary: Hashable, Sendable {
    package var size: UInt64
    /// Opaque, with its quotes. `nil` where the store gives none.
    package var etag: String?
    /// The version id, where the bucket keeps versions.
    package var version: String?
    /// When it was stored, by the store's clock.
    package var modified: Date
    /// `nil` where the object was made by somebody else or the store forgets metadata.
    package var metadata: ObjectMetadata?
    /// What the store can say about the content.
    package var evidence: ObjectEvidence
    /// Whether the store itself has compared the SHA-256 in `evidence` with the bytes. A digest that stands in the
    /// metadata is only what a writer said, and a store compares no MD5 that counts.
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

/// What a store can say about an object's content. Each kind can be computed from a file by somebody who has it.
package enum ObjectEvidence: Hashable, Sendable {
    /// SHA-256 over the part digests in order (the root digest), which depends on the part size.
    case compositeSHA256(root: SHA256Digest, partBytes: UInt64, partCount: UInt32)
    /// SHA-256 of the whole object.
    case partDigest(SHA256Digest)
    /// S3's own ETag, `<MD5 of the parts' MD5s>-<count>`, in lower case and without quotes, however it is written.
    case compositeMD5(etag: String, partBytes: UInt64)
    /// Nothing that can be relied on. Only reading the object tells.
    case none
}

/// What a store answers when an object has come into being.
package struct ObjectReceipt: Hashable, Sendable {
    /// Opaque, with its quotes. `nil` where the store gives none.
    package var etag: String?
    /// The version id, where the bucket keeps versions.
    package var version: String?
    /// What the store confirmed about the content.
    package var evidence: ObjectEvidence

    package init(etag: String?, version: String?, evidence: ObjectEvidence) {
        self.etag = etag
        self.version = version
        self.evidence = evidence
    }
}

/// An open object: what it is, and its bytes. Replacing the key meanwhile changes neither.
package struct ObjectReader: Sendable {
    /// What stores give to iterate. Ends after exactly `summary.size` bytes or throws.
    package typealias Bytes = any AsyncSequence<ByteBuffer, StoreError> & Sendable

    /// Describes the object whose bytes these are.
    package let summary: ObjectSummary
    /// The bytes in pieces of a store's choosing.
    package let bytes: Bytes

    package init(summary: ObjectSummary, bytes: Bytes) {
        self.summary = summary
        self.bytes = bytes
    }
}
