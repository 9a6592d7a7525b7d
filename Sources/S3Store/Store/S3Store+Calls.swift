package import FoundationEssentials
import NIOHTTP1
package import ObjectStore
package import TransferCommon

// The methods of the protocol `ObjectStore`. Their keys are the keys that devices write. In the bucket an object has a
// complete key, which begins with the store's prefix.

// MARK: - Objects

extension S3Store {
    package func object(key: ObjectKey) async throws(StoreError) -> ObjectSummary? {
        guard let key = readableKey(key), let headers = try await bucket.head(at: key) else { return nil }
        return try S3ObjectHeaders(headers: headers).summary(from: provider)
    }

    package func putObject(
        key: ObjectKey, body: ObjectBody, metadata: ObjectMetadata, condition: PutCondition
    ) async throws(StoreError) -> StoredObject {
        try await bucket.put(at: try writableKey(key), body: body, metadata: metadata, condition: condition)
    }

    package func readObject(key: ObjectKey) async throws(StoreError) -> ObjectReader? {
        guard let key = readableKey(key) else { return nil }
        return try await bucket.read(at: key)
    }
}

// MARK: - Uploads

extension S3Store {
    package func createUpload(key: ObjectKey, metadata: ObjectMetadata) async throws(StoreError) -> String {
        try await uploads.create(at: try writableKey(key), metadata: metadata).id
    }

    package func uploadPart(
        key: ObjectKey, upload: String, number: PartNumber, body: ObjectBody
    ) async throws(StoreError) -> String {
        try await uploads.uploadPart(
            at: try writableKey(key), upload: upload, number: number, body: body, verifies: bucket.verifiesBodies)
    }

    package func listParts(key: ObjectKey, upload: String, after: PartNumber?) async throws(StoreError) -> PartPage {
        try await uploads.parts(at: try writableKey(key), upload: upload, after: after)
    }

    package func completeUpload(
        key: ObjectKey, upload: String, parts: [CompletedPart], size: UInt64, condition: PutCondition
    ) async throws(StoreError) -> StoredObject {
        try S3Uploads.check(parts, size: size)
        do {
            return try await uploads.complete(
                at: try writableKey(key), upload: upload, parts: parts, size: size, condition: condition)
        } catch {
            guard case .partsInvalid = error.reason else { throw error }
            throw try await differing(parts, key: key, upload: upload, cause: error)
        }
    }

    /// The store's own error does not say which parts are wrong, so this method compares the parts with a listing of
    /// the stored ones.
    private func differing(
        _ parts: [CompletedPart], key: ObjectKey, upload: String, cause: StoreError
    ) async throws(StoreError) -> StoreError {
        var listed: [PartNumber: ListedPart] = [:]
        for part in try await allParts(key: key, upload: upload) { listed[part.number] = part }
        let wrong = parts.filter { part in
            guard let found = listed[part.number] else { return true }
            return found.size != part.size || bare(found.etag) != bare(part.etag)
        }
        // If every part equals the stored one, it is unknown which part the store means, so all parts count as wrong.
        return StoreError(.partsInvalid((wrong.isEmpty ? parts : wrong).map(\.number)), cause: cause.cause)
    }

    /// Some stores put an ETag in quotes in one answer and not in another, so ETags are compared without them.
    private func bare(_ etag: String) -> [UInt8] {
        etag.utf8.filter { $0 != UInt8(ascii: "\"") }
    }

    package func abortUpload(key: ObjectKey, upload: String) async throws(StoreError) {
        try await uploads.abort(at: try writableKey(key), upload: upload)
    }

    package func uploads(key: ObjectKey) async throws(StoreError) -> [UploadSummary] {
        guard let wanted = readableKey(key) else { return [] }
        // The store lists keys in order, so the wanted key comes first, and then the longer keys that begin with it.
        return try await uploads.list(prefix: wanted) { key in
            if key.hasSameBytes(as: wanted) { return .wanted }
            return wanted.utf8.lexicographicallyPrecedes(key.utf8) ? .behind : .passedOver
        }.map(\.summary)
    }
}

// MARK: - Records

extension S3Store {
    package func writeRecord(name: String, bytes: [UInt8]) async throws(StoreError) {
        try await records.write(name, bytes: bytes)
    }

    package func readRecord(name: String) async throws(StoreError) -> StoredRecord? {
        try await records.read(name)
    }

    package func deleteRecord(name: String) async throws(StoreError) {
        try await records.delete(name)
    }

    package func recordNames(prefix: String, after: String?) async throws(StoreError) -> RecordNamePage {
        try await records.names(prefix: prefix, after: after)
    }

    /// The store's time, from the answer to a small request. If the store refuses that request, or the answer names no
    /// time, the method sends a request of another kind. `nil` if this answer names no time, either.
    package func currentTime() async throws(StoreError) -> Date? {
        do {
            if let date = try await time(of: S3Request(.HEAD, key: nil)) { return date }
        } catch {
            // The gateway may have the right to list its own folder but no right to send HEAD for the bucket.
            guard error.reason == .denied || error.reason == .unsupported else { throw error }
        }
        var request = S3Request(.GET, key: nil)
        request.query = [("list-type", "2"), ("prefix", records.path), ("max-keys", "1")]
        return try await time(of: request)
    }

    private func time(of request: S3Request) async throws(StoreError) -> Date? {
        try await bucket.client.send(request).headers.value("date").flatMap { S3Time.date(header: $0) }
    }
}
