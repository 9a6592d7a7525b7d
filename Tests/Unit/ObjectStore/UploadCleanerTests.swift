import Foundation
import ObjectStore
import ObjectStoreConformance
import Testing
import TransferCommon
import WireProtocol

@Suite struct UploadCleanerTests {
    private static let day: Duration = .seconds(86_400)

    private func cleaner(_ store: any ObjectStore, _ directory: TestDirectory) -> UploadCleaner {
        UploadCleaner(store: store, pauseBetweenAborts: .zero, logger: directory.logger)
    }

    private func clean(
        _ store: any ObjectStore, _ directory: TestDirectory, olderThan age: Duration = day
    ) async throws -> Cleaning {
        try await Cleaning(cleaner(store, directory), olderThan: age)
    }

    /// Begins a session as a gateway does: writes the record, creates the upload, writes the record again with the
    /// upload's id, and uploads the parts.
    private func begin(
        _ key: String, session: UInt64, parts: [Sample], in store: any ObjectStore
    ) async throws -> SessionRecord {
        let records = SessionRecords(store: store)
        var record = SessionRecordsTests.record(key, session: session)
        try await records.write(record)
        record.upload = try await store.begin(parts, key: key, session: session).upload
        try await records.write(record)
        return record
    }

    private func age(_ directory: TestDirectory, days: Double) throws {
        try directory.age(".sluice", by: days * 86_400)
    }

    @Test func removesAbandonedUploads() async throws {
        try await withTestStore { store, directory in
            let record = try await begin(
                "a", session: 1, parts: [Sample(1000, seed: 1), Sample(10, seed: 2)], in: store)
            try age(directory, days: 2)
            let cleaning = try await clean(store, directory)
            #expect(cleaning.removed.map(\.session) == [record.session])
            #expect(cleaning.removed.first?.uploads == [try #require(record.upload)])
            #expect(cleaning.removed.first?.storedBytes == 1010)
            #expect(cleaning.report.keptCount == 0 && cleaning.failed.isEmpty && cleaning.unreadable.isEmpty)
            #expect(try await store.uploads(key: "a").isEmpty)
            #expect(try directory.files(below: ".sluice/sessions").isEmpty)
            #expect(try directory.files(below: ".sluice/staging").isEmpty)
        }
    }

    /// An upload counts as active if one of its parts is new, or if its record was written recently. Then the cleaner
    /// keeps the whole upload.
    @Test(arguments: ["part", "record"])
    func keepsActiveUploads(_ sign: String) async throws {
        try await withTestStore { store, directory in
            let record = try await begin("a", session: 1, parts: [Sample(1000, seed: 1)], in: store)
            try age(directory, days: 30)
            let upload = try #require(record.upload)
            if sign == "part" {
                _ = try await store.upload(Sample(10, seed: 2), number: 2, key: "a", upload: upload)
            } else {
                try await SessionRecords(store: store).write(record)
            }
            let cleaning = try await clean(store, directory)
            #expect(cleaning.removed.isEmpty && cleaning.report.keptCount == 1)
            #expect(try await store.uploads(key: "a").map(\.upload) == [upload])
            #expect(try await SessionRecords(store: store).read(key: "a", session: record.session) == record)
        }
    }

    /// Uploads without a record belong to other programs.
    @Test func neverTouchesAForeignUpload() async throws {
        try await withTestStore { store, directory in
            let record = try await begin("a", session: 1, parts: [Sample(1000, seed: 1)], in: store)
            let (foreign, _) = try await store.begin([Sample(10, seed: 1)], key: "a", session: 2)
            let (other, _) = try await store.begin([Sample(10, seed: 1)], key: "b", session: 1)
            try age(directory, days: 30)
            let cleaning = try await clean(store, directory)
            #expect(cleaning.removed.map(\.session) == [record.session])
            #expect(try await store.uploads(key: "a").map(\.upload) == [foreign])
            #expect(try await store.uploads(key: "b").map(\.upload) == [other])
        }
    }

    /// A gateway crashed after it had created the upload and before it wrote the upload's id into the record. The
    /// cleaner finds the upload by the session that the upload names.
    @Test(arguments: [false, true])
    func findsTheUploadOfARecordWithoutOne(_ storeTellsSessions: Bool) async throws {
        try await withTestStore { store, directory in
            let record = SessionRecordsTests.record("a", session: 1)
            try await SessionRecords(store: store).write(record)
            let (upload, _) = try await store.begin([Sample(10, seed: 1)], key: "a", session: 1)
            let (foreign, _) = try await store.begin([Sample(10, seed: 1)], key: "a", session: 2)
            var altered = AlteredStore(store)
            altered.tellsSessions = storeTellsSessions

            let young = try await clean(altered, directory)
            #expect(young.removed.isEmpty && young.report.keptCount == 1)
            try age(directory, days: 2)
            let cleaning = try await clean(altered, directory)
            #expect(cleaning.removed.map(\.uploads) == [storeTellsSessions ? [upload] : []])
            let left = try await store.uploads(key: "a").map(\.upload)
            #expect(Set(left) == (storeTellsSessions ? [foreign] : [foreign, upload]))
            #expect(try directory.files(below: ".sluice/sessions").isEmpty)
        }
    }

    /// A record is young, but its upload is gone. A gateway may still be looking for the outcome of the upload, so the
    /// record stays.
    @Test func keepsAYoungRecordWhoseUploadIsGone() async throws {
        try await withTestStore { store, directory in
            let record = try await begin("a", session: 1, parts: [Sample(1000, seed: 1)], in: store)
            try await store.abortUpload(key: "a", upload: try #require(record.upload))
            #expect(try await clean(store, directory).report.keptCount == 1)
            try age(directory, days: 2)
            let cleaning = try await clean(store, directory)
            #expect(cleaning.removed.map(\.uploads) == [[]])
            #expect(try directory.files(below: ".sluice/sessions").isEmpty)
        }
    }

    @Test func leavesObjectsAlone() async throws {
        try await withTestStore { store, directory in
            let record = try await begin("a", session: 1, parts: [Sample(1000, seed: 1)], in: store)
            let listed = try await store.allParts(key: "a", upload: try #require(record.upload))
            let parts = try listed.map {
                CompletedPart(number: $0.number, size: $0.size, digest: try #require($0.digest), etag: $0.etag)
            }
            try await store.complete(try #require(record.upload), parts, key: "a")
            try age(directory, days: 2)
            _ = try await clean(store, directory)
            #expect(try await store.contents("a") == Sample(1000, seed: 1).bytes)
        }
    }

    @Test func abortsUntilNothingIsListed() async throws {
        try await withTestStore { store, directory in
            _ = try await begin("a", session: 1, parts: [Sample(1000, seed: 1)], in: store)
            try age(directory, days: 2)
            var altered = AlteredStore(store)
            altered.vainAborts = Counter(3)
            let cleaning = try await clean(altered, directory)
            #expect(cleaning.removed.count == 1 && cleaning.failed.isEmpty)
            #expect(try await store.uploads(key: "a").isEmpty)
        }
    }

    /// The cleaner reports a failure and continues with other uploads. The record of the failed one stays, so that the
    /// next cleaning finds it.
    @Test func continuesAfterAFailure() async throws {
        try await withTestStore { store, directory in
            let stubborn = try await begin("a", session: 1, parts: [Sample(1000, seed: 1)], in: store)
            let other = try await begin("b", session: 2, parts: [Sample(1000, seed: 1)], in: store)
            try await store.writeRecord(name: "not-a-record", bytes: [1])
            try age(directory, days: 2)
            var altered = AlteredStore(store)
            altered.vainAborts = Counter(1000)
            altered.vainAbortKey = "a"
            let cleaning = try await clean(altered, directory)
            #expect(cleaning.removed.map(\.session) == [other.session])
            #expect(cleaning.failed.map(\.record) == [stubborn])
            #expect(cleaning.failed.first?.error.reason == .unavailable)
            #expect(cleaning.unreadable == ["not-a-record"])
            let again = try await clean(store, directory)
            #expect(again.removed.map(\.session) == [stubborn.session])
            #expect(try directory.files(below: ".sluice/sessions") == ["not-a-record"])
        }
    }

    @Test func concurrentCleanersDoNoHarm() async throws {
        try await withTestStore { store, directory in
            var sessions: Set<SessionID> = []
            for session in 0..<20 {
                let record = try await begin("key-\(session % 7)", session: UInt64(session), parts: [], in: store)
                sessions.insert(record.session)
            }
            try age(directory, days: 2)
            let young = try await begin("key-1", session: 100, parts: [Sample(10, seed: 1)], in: store)
            let second = try await directory.open()
            async let left = clean(store, directory)
            async let right = clean(second, directory)
            let reports = try await [left, right]
            let removed = reports.flatMap(\.removed).map(\.session)
            // One cleaner may fail on an upload that the other is aborting. The next cleaning removes what remains.
            let failed = reports.flatMap(\.failed)
            #expect(failed.allSatisfy { $0.error.reason == .completionInProgress })
            #expect(Set(removed).union(failed.map(\.record.session)) == sessions)
            _ = try await clean(store, directory)
            #expect(try directory.files(below: ".sluice/sessions").count == 1)
            #expect(try await store.uploads(key: "key-1").map(\.upload) == [try #require(young.upload)])
        }
    }

    @Test func listsUnfinishedUploads() async throws {
        try await withTestStore { store, directory in
            let record = try await begin(
                "a", session: 1, parts: [Sample(1000, seed: 1), Sample(10, seed: 2)], in: store)
            try age(directory, days: 3)
            try await store.writeRecord(name: "zzz", bytes: [1])
            var entries: [UnfinishedEntry] = []
            for try await entry in cleaner(store, directory).unfinished() { entries.append(entry) }
            #expect(entries.count == 2)
            guard case .upload(let upload, let age?) = entries.first else { throw UnexpectedEntry() }
            #expect(upload.device == "camera-7" && upload.key == "a" && upload.session == record.session)
            #expect(upload.partCount == 2 && upload.storedBytes == 1010 && upload.size == 12_345)
            #expect(upload.uploads == [try #require(record.upload)])
            #expect(age > Self.day * 2 && age < Self.day * 4)
            guard case .unreadable("zzz", nil) = entries.last else { throw UnexpectedEntry() }
        }
    }

    private struct UnexpectedEntry: Error {}
}

/// What the cleaner does if the store leaves dates out of its answers, or refuses to delete records.
extension UploadCleanerTests {
    /// The listing dates the records, so the cleaner reads only those that are old.
    @Test func youngRecordsAreNotRead() async throws {
        try await withTestStore { store, directory in
            for session in UInt64(0)..<10 {
                _ = try await begin("old-\(session)", session: session, parts: [], in: store)
            }
            try age(directory, days: 2)
            for session in UInt64(10)..<30 {
                _ = try await begin("young-\(session)", session: session, parts: [], in: store)
            }
            let altered = AlteredStore(store)
            let cleaning = try await clean(altered, directory)
            #expect(cleaning.removed.count == 10 && cleaning.report.keptCount == 20)
            #expect(altered.reads.current == 10)
        }
    }

    @Test func recordsWithoutListedDatesAreRead() async throws {
        try await withTestStore { store, directory in
            _ = try await begin("old", session: 1, parts: [Sample(10, seed: 1)], in: store)
            try age(directory, days: 2)
            _ = try await begin("young", session: 2, parts: [], in: store)
            var altered = AlteredStore(store)
            altered.undated = [.list]
            let cleaning = try await clean(altered, directory)
            #expect(cleaning.removed.map(\.key) == ["old"] && cleaning.report.keptCount == 1)
        }
    }

    /// If the store does not date the parts or the record of an upload, the age of the upload is unknown. So the
    /// cleaner keeps the upload, however old it is.
    @Test(arguments: [AlteredStore.Undated.parts, .record])
    func uploadOfUnknownAgeStays(_ undated: AlteredStore.Undated) async throws {
        try await withTestStore { store, directory in
            let record = try await begin("a", session: 1, parts: [Sample(10, seed: 1)], in: store)
            try age(directory, days: 30)
            var altered = AlteredStore(store)
            altered.undated = undated == .record ? [.list, .record] : [undated]
            let cleaning = try await clean(altered, directory)
            #expect(cleaning.removed.isEmpty && cleaning.report.keptCount == 1)
            #expect(try await store.uploads(key: "a").map(\.upload) == [try #require(record.upload)])
            for try await entry in cleaner(altered, directory).unfinished() {
                guard case .upload(let upload, nil) = entry else { throw UnexpectedEntry() }
                #expect(upload.storedBytes == 10)
            }
        }
    }

    @Test func storeWithoutClockIsNotCleaned() async throws {
        try await withTestStore { store, directory in
            _ = try await begin("a", session: 1, parts: [], in: store)
            try age(directory, days: 30)
            var altered = AlteredStore(store)
            altered.undated = [.clock]
            await expectError(.unsupported) { try await clean(altered, directory) }
            for try await entry in cleaner(altered, directory).unfinished() {
                guard case .upload(_, nil) = entry else { throw UnexpectedEntry() }
            }
        }
    }

    /// The gateway has no right to delete records. It overwrites a record with an empty one. A later cleaning neither
    /// reads the empty records nor reports them, and stops trying to delete them after the first refusal.
    @Test func recordsThatCannotBeDeletedAreEmptied() async throws {
        try await withTestStore { store, directory in
            for session in UInt64(0)..<3 { _ = try await begin("a", session: session, parts: [], in: store) }
            try age(directory, days: 2)
            var altered = AlteredStore(store)
            altered.mayDeleteRecords = false
            #expect(try await clean(altered, directory).removed.count == 3)
            #expect(try await SessionRecords(store: altered).sessions(key: "a").isEmpty)

            try age(directory, days: 2)
            let (reads, deletions) = (altered.reads.current, altered.deletions.current)
            let cleaning = try await clean(altered, directory)
            #expect(cleaning.report.failedCount == 0 && cleaning.report.unreadableCount == 0)
            #expect(altered.reads.current == reads && altered.deletions.current == deletions + 1)

            altered.mayDeleteRecords = true
            _ = try await clean(altered, directory)
            #expect(try directory.files(below: ".sluice/sessions").isEmpty)
        }
    }
}
