package import ObjectStore
package import TransferCommon
import WireProtocol

/// Store calls with keys as strings, for tests. If a key is invalid, the call throws the same error as a store does.
extension ObjectStore {
    package func object(key: String) async throws(StoreError) -> ObjectSummary? {
        try await object(key: ObjectKey(key))
    }

    package func putObject(
        key: String, body: ObjectBody, metadata: ObjectMetadata, condition: PutCondition
    ) async throws(StoreError) -> StoredObject {
        try await putObject(key: ObjectKey(key), body: body, metadata: metadata, condition: condition)
    }

    package func readObject(key: String) async throws(StoreError) -> ObjectReader? {
        try await readObject(key: ObjectKey(key))
    }

    package func createUpload(key: String, metadata: ObjectMetadata) async throws(StoreError) -> String {
        try await createUpload(key: ObjectKey(key), metadata: metadata)
    }

    package func uploadPart(
        key: String, upload: String, number: PartNumber, body: ObjectBody
    ) async throws(StoreError) -> String {
        try await uploadPart(key: ObjectKey(key), upload: upload, number: number, body: body)
    }

    package func listParts(key: String, upload: String, after: PartNumber?) async throws(StoreError) -> PartPage {
        try await listParts(key: ObjectKey(key), upload: upload, after: after)
    }

    package func allParts(key: String, upload: String) async throws(StoreError) -> [ListedPart] {
        try await allParts(key: ObjectKey(key), upload: upload)
    }

    package func completeUpload(
        key: String, upload: String, parts: [CompletedPart], size: UInt64, condition: PutCondition
    ) async throws(StoreError) -> StoredObject {
        try await completeUpload(
            key: ObjectKey(key), upload: upload, parts: parts, size: size, condition: condition)
    }

    package func abortUpload(key: String, upload: String) async throws(StoreError) {
        try await abortUpload(key: ObjectKey(key), upload: upload)
    }

    package func uploads(key: String) async throws(StoreError) -> [UploadSummary] {
        try await uploads(key: ObjectKey(key))
    }
}
