import FoundationEssentials
import ObjectStore
import TransferCommon
import TransferCore
import WireProtocol

/// Performs the requests that the gateway's state machine makes to the store.
struct StoreCalls: Sendable {
    let store: any ObjectStore
    private let records: SessionRecords

    init(store: any ObjectStore) {
        self.store = store
        self.records = SessionRecords(store: store)
    }

    /// Performs one request. The caller logs the answer, because it knows the device (`StoreLog`).
    ///
    /// - Parameter flow: the bytes of the part, for requests that carry a part.
    func answer(_ request: StoreRequest, flow: PartFlow?) async -> StoreAnswer {
        do throws(StoreError) {
            return try await perform(request, flow: flow)
        } catch {
            return .failed(error)
        }
    }

    private func perform(_ request: StoreRequest, flow: PartFlow?) async throws(StoreError) -> StoreAnswer {
        switch request {
        case .lookUpObject(let key, _):
            return .object(try await store.object(key: ObjectKey(key)))
        case .readObject(let key, let size, let partBytes):
            return .object(try await readBack(key, size: size, partBytes: partBytes))
        case .findRecords(let key):
            return .records(try await records.sessions(key: key).compactMap(\.record))
        case .writeRecord(let record):
            try await records.write(record)
            return .done
        case .removeRecord(let key, let session):
            try await records.remove(key: key, session: session)
            return .done
        case .createUpload(let key, let metadata):
            return .uploadCreated(upload: try await store.createUpload(key: ObjectKey(key), metadata: metadata))
        case .listParts(let key, let upload):
            return .parts(try await store.allParts(key: ObjectKey(key), upload: upload).map(PartListEntry.init))
        case .storePart(let key, let upload, let part, let bytes):
            guard let flow else { throw StoreError(.bodyFailed) }
            let body = ObjectBody(byteCount: bytes.size, digest: bytes.digest, md5: bytes.md5, bytes: flow)
            return .partStored(
                etag: try await store.uploadPart(key: ObjectKey(key), upload: upload, number: part, body: body))
        case .storeObject(let key, let metadata, let bytes, let condition):
            guard let flow else { throw StoreError(.bodyFailed) }
            let body = ObjectBody(byteCount: bytes.size, digest: bytes.digest, md5: bytes.md5, bytes: flow)
            return .objectStored(
                try await store.putObject(key: ObjectKey(key), body: body, metadata: metadata, condition: condition))
        case .complete(let key, let upload, let parts, let size, let condition):
            let named = parts.compactMap(CompletedPart.init)
            return .objectStored(
                try await store.completeUpload(
                    key: ObjectKey(key), upload: upload, parts: named, size: size, condition: condition))
        case .abort(let key, let upload):
            do throws(StoreError) {
                try await store.abortUpload(key: ObjectKey(key), upload: upload)
            } catch  where error.reason == .uploadUnknown {
                // The upload is gone already, which is the wanted result.
            }
            return .done
        case .renewRecord(let key, let session):
            try await records.renew(key: key, session: session, olderThan: .seconds(30))
            return .done
        }
    }
}

extension StoreRequest {
    /// The id of the `PartFlow` whose bytes the request carries; `nil` for a request without bytes.
    var flow: FlowID? {
        switch self {
        case .storePart(_, _, _, let bytes), .storeObject(_, _, let bytes, _): bytes.flow
        default: nil
        }
    }
}

extension PartListEntry {
    init(_ part: ListedPart) {
        self.init(part: part.number, size: part.size, digest: part.digest, etag: part.etag)
    }
}

extension CompletedPart {
    init?(_ entry: PartListEntry) {
        guard let digest = entry.digest else { return nil }
        self.init(number: entry.part, size: entry.size, digest: digest, etag: entry.etag)
    }
}
