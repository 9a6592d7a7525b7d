package import TransferCore
package import WireProtocol

/// An object store in memory that answers the gateways' requests, late and with the faults that a test asks for.
package final class VirtualStore {
    package struct Object: Equatable {
        package var bytes: [UInt8]
        package var facts: ObjectFacts
    }

    struct StoredPart {
        var bytes: [UInt8]
        var digest: SHA256Digest
        var etag: String
    }

    struct Upload {
        var key: String
        var label: ObjectLabel
        var parts: [PartNumber: StoredPart] = [:]
    }

    struct RecordKey: Hashable {
        var key: [UInt8]
        var session: SessionID
    }

    /// A part as it was confirmed to a gateway.
    package struct Confirmation: Hashable {
        package var part: PartNumber
        package var etag: String
    }

    let schedule: Schedule
    package var latency = Duration.milliseconds(4)
    /// Whether objects keep their session id, and listings the digests.
    package var keepsSession = true
    package var keepsDigests = true
    /// What goes wrong with the nth request of a kind, from 1.
    package var faults: [StoreRequestKind: [Int: StoreFault]] = [:]
    /// Goes wrong with every request of a kind for as long as it is there.
    package var standingFaults: [StoreRequestKind: StoreFault] = [:]

    var objects: [[UInt8]: Object] = [:]
    var uploads: [String: Upload] = [:]
    var records: [RecordKey: SessionRecordFacts] = [:]
    private var lastUpload = 0
    private var lastVersion = 0
    package private(set) var requestCounts: [StoreRequestKind: Int] = [:]
    /// Everything that a gateway was ever told is stored.
    package internal(set) var confirmed: Set<Confirmation> = []
    /// Parts that were stored while the agent knew already that they were.
    package private(set) var partsStoredAgain: [PartNumber] = []
    /// Digests of parts that the agent knows as stored, by session.
    package var known: [SessionID: [PartNumber: SHA256Digest]] = [:]

    package init(schedule: Schedule) {
        self.schedule = schedule
    }

    package var uploadCount: Int { uploads.count }
    package var recordCount: Int { records.count }

    package func object(_ key: String) -> Object? { objects[Array(key.utf8)] }

    /// Puts an object there as another writer would.
    package func put(_ bytes: [UInt8], key: String, evidence: ContentEvidence, partBytes: UInt64 = 0) {
        let facts = ObjectFacts(
            size: UInt64(bytes.count), partBytes: partBytes, evidence: evidence, etag: "foreign", version: "",
            session: nil)
        objects[Array(key.utf8)] = Object(bytes: bytes, facts: facts)
    }

    package func removeObject(_ key: String) { objects[Array(key.utf8)] = nil }

    /// All unfinished uploads are gone, such as by an expiry rule.
    package func loseUploads() { uploads = [:] }

    /// A part is gone from the uploads that hold it.
    package func losePart(_ part: PartNumber) {
        for id in uploads.keys { uploads[id]?.parts[part] = nil }
    }

    /// Another gateway stored the part with other bytes of the same size.
    package func overwritePart(_ part: PartNumber) {
        for id in uploads.keys {
            guard var stored = uploads[id]?.parts[part] else { continue }
            stored.bytes = stored.bytes.map { $0 ^ 1 }
            stored.digest = ToyDigest.sha256(stored.bytes)
            stored.etag = ToyDigest.md5(stored.bytes).description
            uploads[id]?.parts[part] = stored
        }
    }

    /// Whether the part is in the upload of a session, by this name.
    package func holds(_ entry: PartListEntry, of session: SessionID) -> Bool {
        uploads.values.contains { $0.label.session == session && $0.parts[entry.part]?.etag == entry.etag }
    }

    func fault(for kind: StoreRequestKind) -> StoreFault? {
        requestCounts[kind, default: 0] += 1
        return standingFaults[kind] ?? faults[kind]?[requestCounts[kind] ?? 0]
    }

    func newUpload(key: String, label: ObjectLabel) -> String {
        lastUpload += 1
        let id = "upload-\(lastUpload)"
        uploads[id] = Upload(key: key, label: label)
        return id
    }

    func newVersion() -> String {
        lastVersion += 1
        return "v\(lastVersion)"
    }

    func noteStored(_ part: PartNumber, digest: SHA256Digest, session: SessionID) {
        if known[session]?[part] == digest { partsStoredAgain.append(part) }
    }
}

extension VirtualStore {
    /// What a request does, once all of its bytes are there. The answer is what the gateway hears.
    func perform(_ request: StoreRequest, body: [UInt8]) -> StoreAnswer {
        switch request {
        case .lookUpObject(let key, _):
            return .object(objects[Array(key.utf8)]?.facts)
        case .findRecords(let key):
            let found = records.filter { $0.key.key == Array(key.utf8) }.values
            return .records(found.sorted { $0.label.session.low < $1.label.session.low })
        case .writeRecord(let facts):
            records[RecordKey(key: Array(facts.key.utf8), session: facts.label.session)] = facts
            return .done
        case .removeRecord(let key, let session):
            records[RecordKey(key: Array(key.utf8), session: session)] = nil
            return .done
        case .createUpload(let key, let label):
            return .uploadCreated(upload: newUpload(key: key, label: label))
        case .listParts(_, let upload):
            guard let found = uploads[upload] else { return .failed(.uploadUnknown) }
            return .parts(entries(of: found))
        case .storePart(_, let upload, let part, let bytes):
            return storePart(part, upload: upload, bytes: bytes, body: body)
        case .storeObject(let key, let label, let bytes, let onlyIfAbsent):
            guard ToyDigest.sha256(body) == bytes.digest else { return .failed(.digestMismatch) }
            guard !onlyIfAbsent || objects[Array(key.utf8)] == nil else { return .failed(.keyTaken) }
            return putObject(body, key: key, label: label, evidence: .wholeDigest(bytes.digest), partBytes: 0)
        case .complete(let key, let upload, let parts, let size, let onlyIfAbsent):
            return complete(key: key, upload: upload, parts: parts, size: size, onlyIfAbsent: onlyIfAbsent)
        case .abort(_, let upload):
            uploads[upload] = nil
            return .done
        }
    }

    private func entries(of upload: Upload) -> [PartListEntry] {
        upload.parts.sorted { $0.key < $1.key }.map { part, stored in
            PartListEntry(
                part: part, size: UInt64(stored.bytes.count), digest: keepsDigests ? stored.digest : nil,
                etag: stored.etag)
        }
    }

    private func storePart(_ part: PartNumber, upload: String, bytes: PartBytes, body: [UInt8]) -> StoreAnswer {
        guard let found = uploads[upload] else { return .failed(.uploadUnknown) }
        guard ToyDigest.sha256(body) == bytes.digest else { return .failed(.digestMismatch) }
        noteStored(part, digest: bytes.digest, session: found.label.session)
        let etag = ToyDigest.md5(body).description
        uploads[upload]?.parts[part] = StoredPart(bytes: body, digest: bytes.digest, etag: etag)
        return .partStored(etag: etag)
    }

    private func complete(
        key: String, upload: String, parts: [PartListEntry], size: UInt64, onlyIfAbsent: Bool
    ) -> StoreAnswer {
        guard let found = uploads[upload] else { return .failed(.uploadUnknown) }
        let missing = parts.filter { found.parts[$0.part]?.etag != $0.etag }
        guard missing.isEmpty else { return .failed(.partsInvalid(missing.map(\.part))) }
        guard !onlyIfAbsent || objects[Array(key.utf8)] == nil else { return .failed(.keyTaken) }
        let bytes = parts.flatMap { found.parts[$0.part]?.bytes ?? [] }
        guard UInt64(bytes.count) == size else { return .failed(.refused(message: "sizes differ")) }
        uploads[upload] = nil
        let digests = parts.compactMap { found.parts[$0.part]?.digest }
        return putObject(
            bytes, key: key, label: found.label, evidence: keepsDigests ? .root(ToyDigest.root(digests)) : .none,
            partBytes: found.label.partBytes)
    }

    private func putObject(
        _ bytes: [UInt8], key: String, label: ObjectLabel, evidence: ContentEvidence, partBytes: UInt64
    ) -> StoreAnswer {
        let facts = ObjectFacts(
            size: UInt64(bytes.count), partBytes: partBytes, evidence: evidence, etag: ToyDigest.md5(bytes).description,
            version: newVersion(), session: keepsSession ? label.session : nil)
        objects[Array(key.utf8)] = Object(bytes: bytes, facts: facts)
        return .objectStored(StoreReceipt(evidence: evidence, etag: facts.etag, version: facts.version))
    }
}
