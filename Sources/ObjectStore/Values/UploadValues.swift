package import FoundationEssentials
package import TransferCommon

/// A part as the store lists it.
package struct ListedPart: Hashable, Sendable {
    package var number: PartNumber
    package var size: UInt64
    /// Opaque, with its quotes.
    package var etag: String
    /// SHA-256 of the part, where the store keeps it. `nil` says nothing about the part.
    package var digest: SHA256Digest?
    /// When it was stored, by the store's clock.
    package var modified: Date

    package init(number: PartNumber, size: UInt64, etag: String, digest: SHA256Digest?, modified: Date) {
        self.number = number
        self.size = size
        self.etag = etag
        self.digest = digest
        self.modified = modified
    }
}

/// Some of an upload's parts.
package struct PartPage: Hashable, Sendable {
    /// In the order of their numbers.
    package var parts: [ListedPart]
    /// Where the next page begins after; `nil` on the last page.
    package var next: PartNumber?

    package init(parts: [ListedPart], next: PartNumber?) {
        self.parts = parts
        self.next = next
    }
}

/// A part as it is named to be joined.
package struct CompletedPart: Hashable, Sendable {
    package var number: PartNumber
    package var size: UInt64
    package var digest: SHA256Digest
    /// What `uploadPart` returned.
    package var etag: String

    package init(number: PartNumber, size: UInt64, digest: SHA256Digest, etag: String) {
        self.number = number
        self.size = size
        self.digest = digest
        self.etag = etag
    }
}

/// An unfinished upload as the store lists it.
package struct UploadSummary: Hashable, Sendable {
    package var upload: String
    /// By the store's clock.
    package var created: Date
    /// Whose it is, where the store tells. S3 does not.
    package var sessionID: SessionID?

    package init(upload: String, created: Date, sessionID: SessionID?) {
        self.upload = upload
        self.created = created
        self.sessionID = sessionID
    }
}

/// A session record as the store keeps it.
package struct StoredRecord: Hashable, Sendable {
    package var bytes: [UInt8]
    /// When it was last written, by the store's clock.
    package var modified: Date

    package init(bytes: [UInt8], modified: Date) {
        self.bytes = bytes
        self.modified = modified
    }
}

/// Some of the records' names.
package struct RecordNamePage: Hashable, Sendable {
    /// In the order of their bytes.
    package var names: [String]
    /// Where the next page begins after; `nil` on the last page.
    package var next: String?

    package init(names: [String], next: String?) {
        self.names = names
        self.next = next
    }
}
