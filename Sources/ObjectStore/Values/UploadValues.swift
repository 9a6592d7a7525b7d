package import FoundationEssentials
package import TransferCommon

/// A stored part, as the store lists it.
package struct ListedPart: Hashable, Sendable {
    package var number: PartNumber
    package var size: UInt64
    /// The ETag with its quotes. Its content has no meaning for the caller.
    package var etag: String
    /// SHA-256 of the part; `nil` if the store keeps none.
    package var digest: SHA256Digest?
    /// The time at which the part was stored, by the store's clock.
    package var modified: Date

    package init(number: PartNumber, size: UInt64, etag: String, digest: SHA256Digest?, modified: Date) {
        self.number = number
        self.size = size
        self.etag = etag
        self.digest = digest
        self.modified = modified
    }
}

/// One page of an upload's parts.
package struct PartPage: Hashable, Sendable {
    /// Ascending by part number.
    package var parts: [ListedPart]
    /// The value of `after` for the next page; `nil` on the last page.
    package var next: PartNumber?

    package init(parts: [ListedPart], next: PartNumber?) {
        self.parts = parts
        self.next = next
    }
}

/// A part as the gateway names it when it completes an upload.
package struct CompletedPart: Hashable, Sendable {
    package var number: PartNumber
    package var size: UInt64
    package var digest: SHA256Digest
    /// The ETag that `uploadPart` returned.
    package var etag: String

    package init(number: PartNumber, size: UInt64, digest: SHA256Digest, etag: String) {
        self.number = number
        self.size = size
        self.digest = digest
        self.etag = etag
    }
}

/// An unfinished upload, as the store lists it.
package struct UploadSummary: Hashable, Sendable {
    package var upload: String
    /// Time of creation, by the store's clock.
    package var created: Date
    /// The session that the upload belongs to; `nil` if the store's listing does not contain it, as in S3.
    package var session: SessionID?

    package init(upload: String, created: Date, session: SessionID?) {
        self.upload = upload
        self.created = created
        self.session = session
    }
}

/// A session record as the store keeps it.
package struct StoredRecord: Hashable, Sendable {
    package var bytes: [UInt8]
    /// Time of the last write, by the store's clock.
    package var modified: Date

    package init(bytes: [UInt8], modified: Date) {
        self.bytes = bytes
        self.modified = modified
    }
}

/// One page of record names.
package struct RecordNamePage: Hashable, Sendable {
    /// The names, in the order of their bytes.
    package var names: [String]
    /// The value of `after` for the next page; `nil` on the last page.
    package var next: String?

    package init(names: [String], next: String?) {
        self.names = names
        self.next = next
    }
}
