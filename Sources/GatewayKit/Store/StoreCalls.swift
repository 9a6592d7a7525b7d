import FoundationEssentials
import Logging
import ObjectStore
import TransferCommon
import TransferCore
import WireProtocol

/// Performs the requests that the gateway's state machine makes to the store, and translates the results into the
/// machine's types.
struct StoreCalls: Sendable {
    let store: any ObjectStore
    private let records: SessionRecords
    private let log: StoreLog

    init(store: any ObjectStore, logger: Logger) {
        self.store = store
        self.records = SessionRecords(store: store)
        self.log = StoreLog(logger)
    }

    /// - Parameter flow: the bytes of the part, for requests that carry a part.
    func answer(_ request: StoreRequest, flow: PartFlow?) async -> StoreAnswer {
        do throws(StoreError) {
            let answer = try await perform(request, flow: flow)
            log.succeeded(request)
            return answer
        } catch {
            log.failed(request, error)
            return .failed(StoreFailure(error))
        }
    }

    /// Rewrites a session's record if it is older than 30 seconds. `UploadCleaner` removes a session whose parts and
    /// record are all old. The parts of a resumed session may be old, so its record has to be young.
    func renewRecord(key: String, session: SessionID) async throws(StoreError) {
        try await records.renew(key: key, session: session, olderThan: .seconds(30))
    }

    private func perform(_ request: StoreRequest, flow: PartFlow?) async throws(StoreError) -> StoreAnswer {
        switch request {
        case .lookUpObject(let key, _):
            return .object(try await store.object(key: ObjectKey(key)).map(ObjectFacts.init))
        case .readObject(let key, let size, let partBytes):
            return .object(try await readBack(key, size: size, partBytes: partBytes))
        case .findRecords(let key):
            return .records(try await records.sessions(key: key).compactMap { $0.record.map(SessionRecordFacts.init) })
        case .writeRecord(let facts):
            try await records.write(SessionRecord(facts))
            return .done
        case .removeRecord(let key, let session):
            try await records.remove(key: key, session: session)
            return .done
        case .createUpload(let key, let label):
            return .uploadCreated(
                upload: try await store.createUpload(key: ObjectKey(key), metadata: ObjectMetadata(label)))
        case .listParts(let key, let upload):
            return .parts(try await store.allParts(key: ObjectKey(key), upload: upload).map(PartListEntry.init))
        case .storePart(let key, let upload, let part, let bytes):
            guard let flow else { throw StoreError(.bodyFailed) }
            let body = ObjectBody(byteCount: bytes.size, digest: bytes.digest, md5: bytes.md5, bytes: flow)
            return .partStored(
                etag: try await store.uploadPart(key: ObjectKey(key), upload: upload, number: part, body: body))
        case .storeObject(let key, let label, let bytes, let condition):
            guard let flow else { throw StoreError(.bodyFailed) }
            let body = ObjectBody(byteCount: bytes.size, digest: bytes.digest, md5: bytes.md5, bytes: flow)
            var metadata = ObjectMetadata(label)
            metadata.partDigest = bytes.digest
            return .objectStored(
                StoreReceipt(
                    try await store.putObject(key: ObjectKey(key), body: body, metadata: metadata, condition: condition)
                ))
        case .complete(let key, let upload, let parts, let size, let condition):
            let named = parts.compactMap(CompletedPart.init)
            return .objectStored(
                StoreReceipt(
                    try await store.completeUpload(
                        key: ObjectKey(key), upload: upload, parts: named, size: size, condition: condition)))
        case .abort(let key, let upload):
            do throws(StoreError) {
                try await store.abortUpload(key: ObjectKey(key), upload: upload)
            } catch  where error.reason == .noSuchUpload {
                // The upload is gone already, which is the wanted result.
            }
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

extension StoreFailure {
    init(_ error: StoreError) {
        switch error.reason {
        case .noSuchUpload: self = .uploadUnknown
        case .noSuchBucket: self = .bucketMissing
        case .denied: self = .denied
        case .full: self = .full
        // A damaged answer may come from a proxy instead of the store, so the request is worth repeating.
        case .unavailable, .completionInProgress, .damaged: self = .unavailable(retryAfter: .zero)
        case .throttled(let retryAfter): self = .unavailable(retryAfter: retryAfter ?? .seconds(1))
        case .digestMismatch, .sizeMismatch: self = .digestMismatch
        case .invalidParts(let parts): self = .partsInvalid(parts)
        case .alreadyExists: self = .keyTaken
        case .preconditionGone: self = .objectGone
        case .conflict: self = .conflict
        case .keyUnsupported: self = .keyUnsupported(message: error.sentence)
        case .tooLarge, .unsupported: self = .refused(message: error.clause)
        case .bodyFailed, .cancelled: self = .cancelled
        case .outcomeUnknown: self = .outcomeUnknown
        }
    }
}

extension ObjectFacts {
    init(_ summary: ObjectSummary) {
        let (evidence, partBytes) = ContentEvidence.from(summary.evidence)
        self.init(
            size: summary.size, partBytes: partBytes, evidence: evidence, etag: summary.etag ?? "",
            version: summary.version ?? "", session: summary.metadata?.sessionID,
            isVerified: summary.isEvidenceChecked && summary.evidence.fits(size: summary.size))
    }
}

extension StoreReceipt {
    init(_ receipt: ObjectReceipt) {
        self.init(
            evidence: ContentEvidence.from(receipt.evidence).evidence, etag: receipt.etag ?? "",
            version: receipt.version ?? "")
    }
}

extension ObjectEvidence {
    /// Whether an object of this size, split by the evidence's part size, has as many parts as the store counted. The
    /// part size comes from metadata that another writer may have set wrongly. The count comes from the store itself.
    fileprivate func fits(size: UInt64) -> Bool {
        guard case .compositeSHA256(_, let partBytes, let count) = self else { return true }
        return PartPlan(fileBytes: size, partBytes: partBytes)?.partCount == count
    }
}

extension ContentEvidence {
    static func from(_ evidence: ObjectEvidence) -> (evidence: ContentEvidence, partBytes: UInt64) {
        switch evidence {
        case .compositeSHA256(let root, let partBytes, _): (.root(root), partBytes)
        case .partDigest(let digest): (.wholeDigest(digest), 0)
        case .compositeMD5(let etag, let partBytes): (.compositeMD5(etag), partBytes)
        case .none: (.none, 0)
        }
    }
}

extension ObjectMetadata {
    init(_ label: ObjectLabel) {
        self.init(
            sessionID: label.session, partBytes: label.partBytes, modificationTime: label.modification,
            userMetadata: label.metadata)
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

extension SessionRecordFacts {
    init(_ record: SessionRecord) {
        let terms = SessionTerms(
            key: record.key, size: record.size, partBytes: record.partBytes, modification: record.modificationTime,
            condition: record.condition, metadata: record.metadata)
        self.init(device: record.device, session: record.sessionID, terms: terms, upload: record.upload)
    }
}

extension SessionRecord {
    init(_ facts: SessionRecordFacts) {
        self.init(
            device: facts.device, key: facts.terms.key, size: facts.terms.size,
            modificationTime: facts.terms.modification, partBytes: facts.terms.partBytes,
            condition: facts.terms.condition, metadata: facts.terms.metadata, sessionID: facts.session,
            upload: facts.upload)
    }
}
