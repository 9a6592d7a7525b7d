import SystemSupport
package import TransferCommon
import WireProtocol

extension FileStore {
    package func createUpload(key: ObjectKey, metadata: ObjectMetadata) async throws(StoreError) -> String {
        let key = try self.key(key)
        let directory = directory
        return try await threads.run { try directory.uploads.create(of: key, metadata: metadata) }
    }

    package func uploadPart(
        key: ObjectKey, upload: String, number: PartNumber, body: ObjectBody
    ) async throws(StoreError) -> String {
        let key = try self.key(key)
        guard body.byteCount <= limits.partBytesMax else { throw StoreError(.tooLarge) }
        guard number.value <= limits.partsMax else {
            throw StoreError(.partsInvalid([number]), "The part's number is above the store's maximum.")
        }
        let directory = directory
        let staged = try await threads.run {
            _ = try directory.uploads.open(upload, of: key)
            return try StagedFile(directory.files.createStoreFile(directory.instance.makeStagingPath()))
        }
        do {
            let finished = try await receive(body, into: staged, hasFooter: true)
            try await threads.run { try directory.uploads.place(finished, as: number, of: upload) }
            return HashedContent.partETag(body.digest)
        } catch {
            await discard(staged)
            throw error
        }
    }

    package func listParts(key: ObjectKey, upload: String, after: PartNumber?) async throws(StoreError) -> PartPage {
        let key = try self.key(key)
        let (directory, pageCountMax) = (directory, pageCountMax)
        return try await threads.run {
            _ = try directory.uploads.open(upload, of: key)
            return try directory.uploads.parts(of: upload, after: after, countMax: pageCountMax)
        }
    }

    package func completeUpload(
        key: ObjectKey, upload: String, parts: [CompletedPart], size: UInt64, condition: PutCondition
    ) async throws(StoreError) -> StoredObject {
        let key = try self.key(key)
        guard parts.count <= Int(limits.partsMax), size <= limits.objectBytesMax else { throw StoreError(.tooLarge) }
        let (directory, joinStepBytes) = (directory, joinStepBytes)
        let completion = try await threads.run {
            try UploadCompletion.begin(
                directory, key: key, upload: upload, parts: parts, size: size, condition: condition)
        }
        do throws(StoreError) {
            var isJoined = false
            while !isJoined {
                if Task.isCancelled { throw StoreError(.cancelled) }
                isJoined = try await threads.run { try completion.joinMore(joinStepBytes) }
            }
            return try await threads.run { try completion.publish(condition) }
        } catch {
            try await threads.run { completion.giveUp(mayBePublished: error.reason == .outcomeUnknown) }
            throw error
        }
    }

    package func abortUpload(key: ObjectKey, upload: String) async throws(StoreError) {
        let key = try self.key(key)
        let directory = directory
        try await threads.run { try directory.uploads.abort(upload, of: key) }
    }

    package func uploads(key: ObjectKey) async throws(StoreError) -> [UploadSummary] {
        let key = try self.key(key)
        let directory = directory
        return try await threads.run { try directory.uploads.list(of: key) }
    }
}
