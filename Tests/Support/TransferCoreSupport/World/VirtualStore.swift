package import TransferCommon
package import TransferCore
package import WireProtocol

/// An in-memory object store that answers the gateways' requests after a delay, and with the faults that a test
/// chooses.
package final class VirtualStore {
    let schedule: Schedule
    /// Whether a part that was in flight when its upload was aborted still arrives and revives the upload. After a
    /// gateway's process has removed the session record, only the parts that this process has sent revive the upload.
    /// The process has to wait for these parts. It cannot know which parts other gateways, including dead ones, had in
    /// flight.
    package var landsAfterAbort = false
    private var aborted: [String: Upload] = [:]
    var recordRemovers: [RecordKey: StoreOrigin] = [:]
    /// For each upload that a late part has revived: the process that sent the part.
    private var revivers: [String: StoreOrigin] = [:]
    package var latency = Duration.milliseconds(4)
    /// How the store derives a part's ETag.
    package var etag: (MD5Digest) -> String = \.description
    /// Names the upload of a session; `nil` for the usual name.
    package var uploadName: (SessionID) -> String? = { _ in nil }
    /// Whether the metadata of an object keep the id of the session that wrote it.
    package var keepsSession = true
    /// Which conditions the store checks; it treats all others as fulfilled.
    package var conditions = CheckedConditions.all
    package var keeping = Keeping.digests
    /// Whether the store keeps digests; without digests, objects have no evidence.
    package var keepsDigests: Bool {
        get { keeping == .digests }
        set { keeping = newValue ? .digests : .nothing }
    }
    /// Chooses a fault for a request, before `standingFaults` and `faults` do.
    package var chooseFault: ((StoreRequest) -> StoreFault?)?
    /// Called after every change of the store, with the new object if there is one.
    package var onChange: ((_ key: String, _ object: Object?) -> Void)?
    /// Called after an abort of an upload that another request was completing.
    package var onAbortedConflict: ((StoreRequest) -> Void)?
    /// Called when a renewal has brought back a record that the same process has removed.
    package var onRevivedRecord: ((SessionRecord) -> Void)?
    /// The fault of the nth request of a kind, counted from 1.
    package var faults: [StoreRequestKind: [Int: StoreFault]] = [:]
    /// The fault of every request of a kind.
    package var standingFaults: [StoreRequestKind: StoreFault] = [:]

    var objects: [[UInt8]: Object] = [:]
    package private(set) var uploads: [String: Upload] = [:]
    package internal(set) var records: [RecordKey: SessionRecord] = [:]
    private var lastUpload = 0
    private var lastVersion = 0
    package private(set) var requestCounts: [StoreRequestKind: Int] = [:]
    /// Every part that was ever confirmed to a gateway.
    package internal(set) var confirmed: Set<Confirmation> = []
    /// Parts that were stored although the agent already knew them to be stored.
    package private(set) var partsStoredAgain: [PartNumber] = []
    /// Digests of the parts that the agent knows to be stored, by session.
    package var known: [SessionID: [PartNumber: SHA256Digest]] = [:]

    package init(schedule: Schedule) {
        self.schedule = schedule
    }

    package var uploadCount: Int { uploads.count }
    package var recordCount: Int { records.count }

    package func object(_ key: String) -> Object? { objects[Array(key.utf8)] }

    /// Stores an object, as another writer may.
    ///
    /// - Parameters:
    ///   - session: the session in the object's metadata.
    ///   - isVerified: whether the store has checked the evidence against the bytes.
    package func put(
        _ bytes: [UInt8], key: String, evidence: ContentEvidence, partBytes: UInt64 = 0, session: SessionID? = nil,
        isVerified: Bool = false
    ) {
        let summary = ObjectSummary(
            size: UInt64(bytes.count), partBytes: partBytes, evidence: evidence,
            etag: "foreign-\(ToyDigest.md5(bytes))", version: "", session: session,
            isVerified: isVerified)
        let object = Object(bytes: bytes, summary: summary, writer: session)
        objects[Array(key.utf8)] = object
        onChange?(key, object)
    }

    /// Replaces a part of an upload, as another writer may.
    package func put(_ bytes: [UInt8], part: PartNumber, upload: String, etag: String) {
        uploads[upload]?.parts[part] = StoredPart(bytes: bytes, digest: ToyDigest.sha256(bytes), etag: etag)
    }

    package func removeObject(_ key: String) { objects[Array(key.utf8)] = nil }

    /// Removes all unfinished uploads, like an expiry rule.
    package func loseUploads() { uploads = uploads.filter { $0.value.isHidden } }

    package func loseUpload(_ id: String) { uploads[id] = nil }

    /// Aborts an upload and drops its parts.
    package func abortUpload(_ id: String) {
        guard var found = find(id) else { return }
        found.parts = [:]
        aborted[id] = found
        uploads[id] = nil
    }

    /// Whether a request is a completion that fails only because its upload was aborted.
    func isAborted(_ request: StoreRequest) -> Bool {
        guard case .complete(let key, let upload, _, _, let condition) = request, uploads[upload] == nil,
            aborted[upload] != nil
        else { return false }
        return objection(to: condition, key: key, CheckedConditions.all.complete) == nil
    }

    /// Removes all parts but the last, like an abort that misses a part in flight.
    ///
    /// - Returns: whether one part is left; `false` if the upload has no part.
    func removeAllPartsButTheLast(of id: String) -> Bool {
        guard let found = find(id), let last = found.parts.keys.max() else { return false }
        uploads[id]?.parts = found.parts.filter { $0.key == last }
        uploads[id]?.isBeingAborted = true
        onChange?(found.key, nil)
        return true
    }

    private func revive(_ id: String, for origin: StoreOrigin) -> Upload? {
        guard landsAfterAbort, let upload = aborted[id] else { return nil }
        let name = upload.recordKey
        guard records[name] != nil || recordRemovers[name] == origin else { return nil }
        uploads[id] = upload
        revivers[id] = origin
        onChange?(upload.key, nil)
        return upload
    }

    /// Drops uploads that a late part of another gateway has revived. The gateway that aborted the upload cannot know
    /// of such a part (§9.3). It makes no difference whether the part arrives before or after the record is removed.
    private func forgetPartsOfOthers(than remover: StoreOrigin, _ name: RecordKey) {
        for (id, reviver) in revivers where reviver != remover {
            if uploads[id]?.recordKey == name { uploads[id] = nil }
        }
    }

    /// Hides an upload until `reveal`.
    ///
    /// - Returns: whether the upload existed and was visible.
    func hide(_ id: String) -> Bool {
        guard uploads[id]?.isHidden == false else { return false }
        uploads[id]?.isHidden = true
        return true
    }

    func reveal(_ id: String) { uploads[id]?.isHidden = false }

    func isBeingAborted(_ id: String?) -> Bool { id.flatMap { uploads[$0] }?.isBeingAborted ?? false }

    private func find(_ id: String) -> Upload? { uploads[id].flatMap { $0.isHidden ? nil : $0 } }

    /// Removes all unfinished uploads like `Administration.clean`: walks the records and looks up uploads by their
    /// exact keys.
    package func clean() {
        for (name, record) in records {
            for (id, upload) in uploads where upload.key == record.key {
                if record.upload == id || record.upload == nil && upload.metadata.session == record.session {
                    uploads[id] = nil
                }
            }
            records[name] = nil
        }
    }

    /// Uploads that cleaning would not find, except those that are being completed.
    package var uploadsWithoutRecord: [String] {
        uploads.filter { id, upload in
            guard !upload.isHidden else { return false }
            let record = records[upload.recordKey]
            return record.map { $0.upload != nil && $0.upload != id } ?? true
        }.keys.sorted()
    }

    /// Whether the part has had only one ETag in the session's uploads.
    package func hasOneName(_ part: PartNumber, of session: SessionID) -> Bool {
        uploads.values.allSatisfy { $0.metadata.session != session || ($0.names[part]?.count ?? 0) <= 1 }
    }

    /// Removes a part from all uploads.
    package func losePart(_ part: PartNumber) {
        for id in uploads.keys { uploads[id]?.parts[part] = nil }
    }

    /// Replaces the part in all uploads by other bytes of the same size, as another gateway may do.
    package func overwritePart(_ part: PartNumber) {
        for id in uploads.keys {
            guard var stored = uploads[id]?.parts[part] else { continue }
            stored.bytes = stored.bytes.map { $0 ^ 1 }
            stored.digest = ToyDigest.sha256(stored.bytes)
            stored.etag = ToyDigest.md5(stored.bytes).description
            uploads[id]?.parts[part] = stored
        }
    }

    /// Whether an upload of the session holds the part with this ETag.
    package func holds(_ entry: PartListEntry, of session: SessionID) -> Bool {
        uploads.values.contains { $0.metadata.session == session && $0.parts[entry.part]?.etag == entry.etag }
    }

    func fault(for request: StoreRequest) -> StoreFault? {
        let kind = request.kind
        requestCounts[kind, default: 0] += 1
        return chooseFault?(request) ?? standingFaults[kind] ?? faults[kind]?[requestCounts[kind] ?? 0]
    }

    private func newUpload(key: String, metadata: ObjectMetadata) -> String {
        lastUpload += 1
        let id = uploadName(metadata.session) ?? "upload-\(lastUpload)"
        uploads[id] = Upload(key: key, metadata: metadata)
        return id
    }

    private func newVersion() -> String {
        lastVersion += 1
        return "v\(lastVersion)"
    }

    private func noteStored(_ part: PartNumber, digest: SHA256Digest, session: SessionID) {
        if known[session]?[part] == digest { partsStoredAgain.append(part) }
    }
}

extension VirtualStore {
    /// Applies a request whose bytes are complete, and returns the answer for the gateway.
    func perform(_ request: StoreRequest, body: [UInt8], from origin: StoreOrigin) -> StoreAnswer {
        switch request {
        case .lookUpObject(let key, _):
            return .object(objects[Array(key.utf8)]?.summary)
        case .readObject(let key, let size, let partBytes):
            return .object(objects[Array(key.utf8)].map { read($0, size: size, partBytes: partBytes) })
        case .findRecords(let key):
            let found = records.filter { $0.key.key == Array(key.utf8) }.values
            return .records(found.sorted { $0.session < $1.session })
        case .writeRecord(let record):
            records[RecordKey(key: Array(record.key.utf8), session: record.session)] = record
            onChange?(record.key, nil)
            return .done
        case .removeRecord(let key, let session):
            let name = RecordKey(key: Array(key.utf8), session: session)
            if records.removeValue(forKey: name) != nil {
                recordRemovers[name] = origin
                forgetPartsOfOthers(than: origin, name)
            }
            onChange?(key, nil)
            return .done
        case .createUpload(let key, let metadata):
            let upload = newUpload(key: key, metadata: metadata)
            onChange?(key, nil)
            return .uploadCreated(upload: upload)
        case .listParts(_, let upload):
            guard let found = find(upload) else { return .failed(.uploadUnknown) }
            return .parts(entries(of: found))
        case .storePart(_, let upload, let part, let bytes):
            return storePart(part, upload: upload, bytes: bytes, body: body, from: origin)
        case .storeObject(let key, let metadata, let bytes, let condition):
            guard ToyDigest.sha256(body) == bytes.digest else { return .failed(.digestMismatch) }
            if let failure = objection(to: condition, key: key, conditions.put) { return .failed(failure) }
            return putObject(
                body, key: key, metadata: metadata, evidence: onePartEvidence(body, bytes.digest), partBytes: 0)
        case .complete(let key, let upload, let parts, let size, let condition):
            return complete(key: key, upload: upload, parts: parts, size: size, condition: condition)
        case .abort(let key, let upload):
            abortUpload(upload)
            onChange?(key, nil)
            return .done
        case .renewRecord:
            return .done  // `StoreCall` has read the record and written it again.
        }
    }

    private func objection(
        to condition: PutCondition, key: String, _ checked: CheckedConditions.Request
    ) -> StoreError? {
        guard checked.check(condition) else { return nil }
        let there = objects[Array(key.utf8)]?.summary
        return switch condition {
        case .none: nil
        case .ifAbsent: there == nil ? nil : .keyTaken
        case .ifMatch(let etag): there.map { $0.etag == etag ? nil : .keyTaken } ?? .objectGone
        }
    }

    private func read(_ object: Object, size: UInt64, partBytes: UInt64) -> ObjectSummary {
        var summary = object.summary
        guard keeping != .nothing, summary.size == size else { return summary }
        summary.evidence = VirtualEvidence.compute(
            object.bytes, partBytes: partBytes, like: .root(ToyDigest.root([])))
        summary.partBytes = partBytes
        summary.isVerified = true
        return summary
    }

    private func onePartEvidence(_ body: [UInt8], _ digest: SHA256Digest) -> ContentEvidence {
        switch keeping {
        case .digests: .wholeDigest(digest)
        case .md5, .nothingButReadsBack, .nothing: .none
        }
    }

    private func entries(of upload: Upload) -> [PartListEntry] {
        upload.parts.sorted { $0.key < $1.key }.map { part, stored in
            PartListEntry(
                part: part, size: UInt64(stored.bytes.count), digest: keepsDigests ? stored.digest : nil,
                etag: stored.etag)
        }
    }

    private func storePart(
        _ part: PartNumber, upload: String, bytes: PartBytes, body: [UInt8], from origin: StoreOrigin
    ) -> StoreAnswer {
        let isWhole = ToyDigest.sha256(body) == bytes.digest
        guard let found = find(upload) ?? (isWhole ? revive(upload, for: origin) : nil) else {
            return .failed(.uploadUnknown)
        }
        guard isWhole else { return .failed(.digestMismatch) }
        noteStored(part, digest: bytes.digest, session: found.metadata.session)
        let etag = etag(ToyDigest.md5(body))
        uploads[upload]?.parts[part] = StoredPart(bytes: body, digest: bytes.digest, etag: etag)
        uploads[upload]?.names[part, default: []].insert(etag)
        return .partStored(etag: etag)
    }

    private func complete(
        key: String, upload: String, parts: [PartListEntry], size: UInt64, condition: PutCondition
    ) -> StoreAnswer {
        guard let found = find(upload) else { return .failed(.uploadUnknown) }
        let missing = parts.filter { found.parts[$0.part]?.etag != $0.etag }
        guard missing.isEmpty else { return .failed(.partsInvalid(missing.map(\.part))) }
        if let failure = objection(to: condition, key: key, conditions.complete) { return .failed(failure) }
        let bytes = parts.flatMap { found.parts[$0.part]?.bytes ?? [] }
        guard UInt64(bytes.count) == size else { return .failed(.refused(message: "sizes differ")) }
        uploads[upload] = nil
        let stored = parts.compactMap { found.parts[$0.part] }
        let evidence: ContentEvidence =
            switch keeping {
            case .digests: .root(ToyDigest.root(stored.map(\.digest)))
            case .md5: .compositeMD5(stored.map(\.etag).joined())
            case .nothingButReadsBack, .nothing: .none
            }
        return putObject(
            bytes, key: key, metadata: found.metadata, evidence: evidence, partBytes: found.metadata.partBytes)
    }

    private func putObject(
        _ bytes: [UInt8], key: String, metadata: ObjectMetadata, evidence: ContentEvidence, partBytes: UInt64
    ) -> StoreAnswer {
        let summary = ObjectSummary(
            size: UInt64(bytes.count), partBytes: evidence == .none ? 0 : partBytes, evidence: evidence,
            etag: ToyDigest.md5(bytes).description, version: newVersion(),
            session: keepsSession ? metadata.session : nil, isVerified: keeping == .digests)
        let object = Object(bytes: bytes, summary: summary, writer: metadata.session)
        objects[Array(key.utf8)] = object
        onChange?(key, object)
        return .objectStored(StoredObject(evidence: evidence, etag: summary.etag, version: summary.version))
    }
}
