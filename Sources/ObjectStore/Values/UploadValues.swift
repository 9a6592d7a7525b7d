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
    /// The time at which the part was stored, by the store's clock; `nil` if the store does not report it.
    package var modified: Date?

    package init(number: PartNumber, size: UInt64, etag: String, digest: SHA256Digest?, modified: Date?) {
        self.number = number
        self.size = size
        self.etag = etag
        self.digest = digest
        self.modified = modified
    }
}

/// One page of an upload's parts.
package struct PartPage: Hashable, Sendable {
    /// The parts, ascending by part number.
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
    /// Time of creation, by the store's clock; `nil` if the store does not report it.
    package var created: Date?
    /// The session that the upload belongs to; `nil` if the store's listing does not contain it, as in S3.
    package var session: SessionID?

    package init(upload: String, created: Date?, session: SessionID?) {
        self.upload = upload
        self.created = created
        self.session = session
    }

    /// Whether an upload comes before another one in a list that begins with the oldest. Uploads without a date are at
    /// the end.
    package static func isOlder(_ left: UploadSummary, _ right: UploadSummary) -> Bool {
        (left.created ?? .distantFuture, left.upload) < (right.created ?? .distantFuture, right.upload)
    }
}

/// A session record as the store keeps it.
package struct StoredRecord: Hashable, Sendable {
    package var bytes: [UInt8]
    /// Time of the last write, by the store's clock; `nil` if the store does not report it.
    package var modified: Date?

    package init(bytes: [UInt8], modified: Date?) {
        self.bytes = bytes
        self.modified = modified
    }
}

/// A session record as the store lists it, without its bytes.
package struct ListedRecord: Hashable, Sendable {
    package var name: String
    /// Time of the last write, by the store's clock; `nil` if the store does not list it.
    package var modified: Date?
    /// The record's size in bytes; `nil` if the store does not list it.
    package var size: UInt64?

    package init(name: String, modified: Date?, size: UInt64?) {
        self.name = name
        self.modified = modified
        self.size = size
    }
}

/// One page of record names.
package struct RecordNamePage: Hashable, Sendable {
    /// The records, in the order of the bytes of their names.
    package var records: [ListedRecord]
    /// The value of `after` for the next page; `nil` on the last page.
    package var next: String?

    package init(records: [ListedRecord], next: String?) {
        self.records = records
        self.next = next
    }

    package var names: [String] { records.map(\.name) }
}
