package import FoundationEssentials
package import ObjectStore
package import TransferCommon
import WireProtocol

/// A store that forwards every call to another store. A test makes a type that conforms to it, and implements only the
/// calls that should behave differently.
package protocol ForwardingStore: ObjectStore {
    /// The type of the other store.
    associatedtype Base: ObjectStore

    /// The store that receives the calls.
    var base: Base { get }
}

extension ForwardingStore {
    package var limits: StoreLimits { base.limits }

    package var identity: StoreIdentity {
        get throws(StoreError) { try base.identity }
    }

    package func object(key: ObjectKey) async throws(StoreError) -> ObjectSummary? { try await base.object(key: key) }

    package func putObject(
        key: ObjectKey, body: ObjectBody, metadata: ObjectMetadata, condition: PutCondition
    ) async throws(StoreError) -> StoredObject {
        try await base.putObject(key: key, body: body, metadata: metadata, condition: condition)
    }

    package func readObject(key: ObjectKey) async throws(StoreError) -> ObjectReader? {
        try await base.readObject(key: key)
    }

    package func createUpload(key: ObjectKey, metadata: ObjectMetadata) async throws(StoreError) -> String {
        try await base.createUpload(key: key, metadata: metadata)
    }

    package func listParts(key: ObjectKey, upload: String, after: PartNumber?) async throws(StoreError) -> PartPage {
        try await base.listParts(key: key, upload: upload, after: after)
    }

    package func completeUpload(
        key: ObjectKey, upload: String, parts: [CompletedPart], size: UInt64, condition: PutCondition
    ) async throws(StoreError) -> StoredObject {
        try await base.completeUpload(key: key, upload: upload, parts: parts, size: size, condition: condition)
    }

    package func abortUpload(key: ObjectKey, upload: String) async throws(StoreError) {
        try await base.abortUpload(key: key, upload: upload)
    }

    package func uploads(key: ObjectKey) async throws(StoreError) -> [UploadSummary] {
        try await base.uploads(key: key)
    }

    package func writeRecord(name: String, bytes: [UInt8]) async throws(StoreError) {
        try await base.writeRecord(name: name, bytes: bytes)
    }

    package func readRecord(name: String) async throws(StoreError) -> StoredRecord? {
        try await base.readRecord(name: name)
    }

    package func deleteRecord(name: String) async throws(StoreError) { try await base.deleteRecord(name: name) }

    package func recordNames(prefix: String, after: String?) async throws(StoreError) -> RecordNamePage {
        try await base.recordNames(prefix: prefix, after: after)
    }

    package func currentTime() async throws(StoreError) -> Date? { try await base.currentTime() }

    package func uploadPart(
        key: ObjectKey, upload: String, number: PartNumber, body: ObjectBody
    ) async throws(StoreError) -> String {
        try await base.uploadPart(key: key, upload: upload, number: number, body: body)
    }
}
