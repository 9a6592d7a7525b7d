package import TransferCommon
import TransferCore
import WireProtocol

// What the store holds.

extension VirtualStore {
    package struct Object: Equatable {
        package var bytes: [UInt8]
        package var summary: ObjectSummary
        /// The session that wrote the object, even if the store does not reveal it; `nil` for another writer.
        package var writer: SessionID?
    }

    struct StoredPart {
        var bytes: [UInt8]
        var digest: SHA256Digest
        var etag: String
    }

    /// An upload that was created and is neither completed nor aborted.
    package struct Upload {
        package var key: String
        package var metadata: ObjectMetadata
        var parts: [PartNumber: StoredPart] = [:]
        /// All ETags that each part has ever had in this upload.
        var names: [PartNumber: Set<String>] = [:]
        /// Whether the store hides the upload because it is completing the upload.
        var isHidden = false
        /// Whether an abort has left a part in the upload. Faults then hide no parts from the listing; otherwise the
        /// gateway could never find this part.
        var isBeingAborted = false

        var recordKey: RecordKey { RecordKey(key: Array(key.utf8), session: metadata.session) }
    }

    package struct RecordKey: Hashable {
        var key: [UInt8]
        package var session: SessionID
    }

    /// A part that the store has confirmed to a gateway, with the ETag of this confirmation.
    package struct Confirmation: Hashable {
        package var part: PartNumber
        package var etag: String
    }
}
