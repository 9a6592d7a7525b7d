import Foundation
import GatewayKit
import NIOPosix
import ObjectStore
import ObjectStoreConformance
import TestSupport
import Testing
import TransferCommon
import WireProtocol

/// What `sluice-gateway uploads` prints, and its exit codes. The tests call the code of the commands on a store whose
/// calls fail.
@Suite struct UploadReportTests {
    private struct Printed {
        var code: Int32
        var results: [String]
        var advice: [String]
    }

    /// Runs `body` with a store that has three unfinished uploads without parts, under the keys `a`, `b` and `c`.
    private func withUploads(_ body: (FailingStore) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let files = try await FileStore.open(
                path: directory.path(percentEncoded: false), threads: .singleton, logger: InProcessSite.logger)
            let records = SessionRecords(store: files)
            for (index, key) in ["a", "b", "c"].enumerated() {
                let session = SessionID(high: 0, low: UInt64(index))
                let metadata = ObjectMetadata(
                    session: session, partBytes: 5 << 20, modification: .init(seconds: 1, nanoseconds: 0))
                let upload = try await files.createUpload(key: ObjectKey(key), metadata: metadata)
                let terms = SessionTerms(
                    key: key, size: 12_345, partBytes: 5 << 20, modification: .init(seconds: 1, nanoseconds: 0),
                    condition: .absent)
                try await records.write(
                    SessionRecord(device: "cam1", session: session, terms: terms, upload: upload))
            }
            try await body(FailingStore(base: files))
            try await files.close()
        }
    }

    private func printed(
        _ command: (@escaping @Sendable (String) -> Void, @escaping @Sendable (String) -> Void) async throws -> Int32
    ) async throws -> Printed {
        let (results, advice) = (Watched([String]()), Watched([String]()))
        let code = try await command({ line in results.update { $0.append(line) } }) { line in
            advice.update { $0.append(line) }
        }
        return Printed(code: code, results: results.current, advice: advice.current)
    }

    private func list(_ store: FailingStore) async throws -> Printed {
        let cleaner = UploadCleaner(store: store, pauseBetweenAborts: .zero, logger: InProcessSite.logger)
        return try await printed { print, advise in
            try await UploadReport.list(
                cleaner, row: { print($0.joined(separator: "  ")) }, print, advise: advise)
        }
    }

    private func clean(_ store: FailingStore) async throws -> Printed {
        let cleaner = UploadCleaner(store: store, pauseBetweenAborts: .zero, logger: InProcessSite.logger)
        return try await printed { try await UploadReport.clean(cleaner, olderThan: .zero, $0, advise: $1) }
    }

    @Test func withoutFailureTheCodeIs0() async throws {
        try await withUploads { store in
            let listed = try await list(store)
            #expect(listed.code == 0 && listed.advice == [])
            #expect(listed.results.count == 4)
            let cleaned = try await clean(store)
            #expect(cleaned.code == 0 && cleaned.advice == [])
            #expect(cleaned.results.last == "3 removed (0 B), 0 kept.")
            #expect(try await list(store).results == ["No unfinished uploads."])
        }
    }

    /// Programs get the same as people: each upload, each failure and the sums.
    @Test func programsReadTheSame() async throws {
        try await withUploads { store in
            let entries = Watched([String]())
            let observe: @Sendable (UploadReport.Entry) -> Void = { entry in
                let text =
                    switch entry {
                    case .upload(let upload, _): "upload \(upload.key)"
                    case .removed(let upload): "removed \(upload.key)"
                    case .failed(let record, let name, _): "failed \(record?.key ?? name ?? "")"
                    case .listed(let count, _, _, let failed): "listed \(count) \(failed)"
                    case .cleaned(let sums, let failed): "cleaned \(sums.removedCount) \(failed)"
                    }
                entries.update { $0.append(text) }
            }
            var failing = store
            failing.abortFailures = ["b": .denied]
            let cleaner = UploadCleaner(store: failing, pauseBetweenAborts: .zero, logger: InProcessSite.logger)
            _ = try await UploadReport.list(cleaner, observe: observe, row: { _ in }, { _ in }, advise: { _ in })
            #expect(entries.current.sorted() == ["listed 3 0", "upload a", "upload b", "upload c"])
            entries.update { $0 = [] }
            _ = try await UploadReport.clean(
                cleaner, olderThan: .zero, observe: observe, { _ in }, advise: { _ in })
            #expect(entries.current.sorted() == ["cleaned 2 1", "failed b", "removed a", "removed c"])
        }
    }

    @Test func failedAbortIsNamed() async throws {
        try await withUploads { store in
            var failing = store
            failing.abortFailures = ["b": .denied]
            let cleaned = try await clean(failing)
            #expect(cleaned.code == 69)
            #expect(cleaned.advice.count == 1)
            #expect(cleaned.advice.first?.contains("cam1  b was not removed: ") == true)
            #expect(cleaned.results.last == "2 removed (0 B), 0 kept, 1 failed.")
            // The failed upload stays for the next command.
            #expect(try await clean(store).results.last == "1 removed (0 B), 0 kept.")
        }
    }

    /// If all failures have the same exit code, the command returns this code. Otherwise it returns 1.
    @Test func failuresOfSeveralKindsHaveCode1() async throws {
        try await withUploads { store in
            var failing = store
            failing.abortFailures = ["a": .unavailable, "b": .outcomeUnknown]
            let alike = try await clean(failing)
            #expect(alike.code == 75 && alike.advice.count == 2)
            failing.abortFailures = ["a": .unavailable, "b": .denied]
            let different = try await clean(failing)
            #expect(different.code == 1 && different.advice.count == 2)
        }
    }

    /// The store cannot delete the record of an aborted upload. The command then counts the session as failed, not as
    /// removed.
    @Test func failedDeletionIsNamed() async throws {
        try await withUploads { store in
            var failing = store
            failing.recordDeletionFailure = .unavailable
            let cleaned = try await clean(failing)
            #expect(cleaned.code == 75 && cleaned.advice.count == 3)
            #expect(cleaned.results == ["0 removed (0 B), 0 kept, 3 failed."])
        }
    }

    @Test func recordThatCannotBeReadIsNamed() async throws {
        try await withUploads { store in
            var failing = store
            failing.unreadableRecord = try SessionRecord.name(key: "b", session: SessionID(high: 0, low: 1))
            let name = try #require(failing.unreadableRecord)
            let listed = try await list(failing)
            #expect(listed.code == 75)
            #expect(listed.advice.count == 1)
            #expect(listed.advice.first?.hasPrefix("the record \(name) cannot be read: ") == true)
            #expect(listed.results.count == 3 && listed.results.last?.hasPrefix("2 unfinished, ") == true)
            #expect(listed.results.last?.hasSuffix(", 1 failed.") == true)
            let cleaned = try await clean(failing)
            #expect(cleaned.code == 75 && cleaned.advice == listed.advice)
            #expect(cleaned.results.last == "2 removed (0 B), 0 kept, 1 failed.")
        }
    }

    @Test func damagedRecordIsNamed() async throws {
        try await withUploads { store in
            try await store.writeRecord(name: "zzz", bytes: [1])
            let listed = try await list(store)
            #expect(listed.code == 1)
            #expect(listed.advice.count == 1)
            #expect(listed.advice.first?.hasPrefix("the record zzz cannot be read: It is damaged") == true)
            #expect(try await clean(store).code == 1)
        }
    }

    @Test func uploadThatCannotBeLookedUpIsNamed() async throws {
        try await withUploads { store in
            var failing = store
            failing.listFailures = ["c": .unavailable]
            let listed = try await list(failing)
            #expect(listed.code == 75)
            #expect(listed.advice.count == 1)
            #expect(listed.advice.first?.contains("cam1  c cannot be looked up: ") == true)
            #expect(listed.results.last?.hasPrefix("2 unfinished, ") == true)
        }
    }

    @Test func servingGatewayWarns() async throws {
        try await withUploads { store in
            try await store.writeRecord(name: "zzz", bytes: [1])
            var failing = store
            failing.abortFailures = ["b": .denied]
            let log = Watched([String]())
            await ExpiryKeeper(store: failing, expiry: .zero, logger: LineKeeper.logger(log)).clean()
            let warned = log.current.filter { $0.contains("could not be read or removed") }
            #expect(warned.count == 1 && warned.first?.contains("uploads.failed: 1, uploads.unreadable: 1") == true)
            #expect(log.current.contains { $0.contains("uploads.removed: 2") })
        }
    }

    @Test func failureToRemoveProbesIsNamed() async throws {
        try await withUploads { store in
            var failing = store
            failing.probeFailure = .denied
            let cleaned = try await clean(failing)
            #expect(cleaned.code == 69 && cleaned.advice.count == 1)
            #expect(cleaned.results.last == "3 removed (0 B), 0 kept, 1 failed.")
        }
    }
}

private struct FailingStore: ForwardingStore {
    let base: FileStore
    var abortFailures: [String: StoreError.Reason] = [:]
    var listFailures: [String: StoreError.Reason] = [:]
    var recordDeletionFailure: StoreError.Reason?
    var unreadableRecord: String?
    var probeFailure: StoreError.Reason?

    func abortUpload(key: ObjectKey, upload: String) async throws(StoreError) {
        if let reason = abortFailures[key.text] { throw StoreError(reason) }
        try await base.abortUpload(key: key, upload: upload)
    }

    func listParts(key: ObjectKey, upload: String, after: PartNumber?) async throws(StoreError) -> PartPage {
        if let reason = listFailures[key.text] { throw StoreError(reason) }
        return try await base.listParts(key: key, upload: upload, after: after)
    }

    func readRecord(name: String) async throws(StoreError) -> StoredRecord? {
        if name == unreadableRecord { throw StoreError(.unavailable) }
        return try await base.readRecord(name: name)
    }

    func deleteRecord(name: String) async throws(StoreError) {
        if let recordDeletionFailure { throw StoreError(recordDeletionFailure) }
        try await base.deleteRecord(name: name)
    }

    func removeProbes(before limit: Date) async throws(StoreError) -> Int {
        if let probeFailure { throw StoreError(probeFailure) }
        return 0
    }
}
