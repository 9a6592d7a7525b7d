import Foundation
import ObjectStore
import ObjectStoreConformance
import Synchronization
import TransferCommon

/// A counter that does not count below zero.
final class Counter: Sendable {
    private let value: Mutex<Int>

    init(_ value: Int) {
        self.value = Mutex(value)
    }

    var current: Int { value.withLock { $0 } }

    func add() {
        value.withLock { $0 += 1 }
    }

    /// Counts down by one. Returns whether the counter was above zero.
    func takeOne() -> Bool {
        value.withLock { value in
            guard value > 0 else { return false }
            value -= 1
            return true
        }
    }
}

/// A store with properties of S3 that a directory does not have.
struct AlteredStore: ForwardingStore {
    /// The answers in which a store may leave out dates.
    enum Undated: Hashable, Sendable {
        case list, record, parts, clock
    }

    let base: FileStore
    var undated: Set<Undated> = []
    /// Whether the store lets the gateway delete records.
    var mayDeleteRecords = true
    /// How many records were read.
    let reads = Counter(0)
    /// How many attempts were made to delete a record.
    let deletions = Counter(0)
    /// Whether a list of uploads names the session of each upload.
    var tellsSessions = true
    /// How many aborts have no effect, as if parts that were in flight had arrived after them.
    var vainAborts = Counter(0)
    /// If set, only aborts of uploads of this key have no effect.
    var vainAbortKey: String?

    init(_ base: FileStore) {
        self.base = base
    }

    func abortUpload(key: ObjectKey, upload: String) async throws(StoreError) {
        if vainAbortKey == nil || vainAbortKey == key.text, vainAborts.takeOne() { return }
        try await base.abortUpload(key: key, upload: upload)
    }

    func uploads(key: ObjectKey) async throws(StoreError) -> [UploadSummary] {
        var found = try await base.uploads(key: key)
        if !tellsSessions { for index in found.indices { found[index].session = nil } }
        return found
    }

    func listParts(key: ObjectKey, upload: String, after: PartNumber?) async throws(StoreError) -> PartPage {
        var page = try await base.listParts(key: key, upload: upload, after: after)
        if undated.contains(.parts) { for index in page.parts.indices { page.parts[index].modified = nil } }
        return page
    }

    func readRecord(name: String) async throws(StoreError) -> StoredRecord? {
        reads.add()
        var record = try await base.readRecord(name: name)
        if undated.contains(.record) { record?.modified = nil }
        return record
    }

    func deleteRecord(name: String) async throws(StoreError) {
        deletions.add()
        guard mayDeleteRecords else { throw StoreError(.denied) }
        try await base.deleteRecord(name: name)
    }

    func recordNames(prefix: String, after: String?) async throws(StoreError) -> RecordNamePage {
        var page = try await base.recordNames(prefix: prefix, after: after)
        if undated.contains(.list) { for index in page.records.indices { page.records[index].modified = nil } }
        return page
    }

    func currentTime() async throws(StoreError) -> Date? {
        undated.contains(.clock) ? nil : try await base.currentTime()
    }
}
