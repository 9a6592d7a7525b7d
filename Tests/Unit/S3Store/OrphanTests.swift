import ObjectStore
import ObjectStoreConformance
import S3Store
import ScriptedS3
import Testing
import TransferCommon

/// A crash can leave an upload that no session record names. These tests use a store that does not tell which session
/// an upload belongs to, and check which uploads the cleaner removes and which it never touches.
@Suite(.timeLimit(.minutes(5)))
struct OrphanTests {
    private static let hour = Duration.seconds(3_600)
    private static let day = Duration.seconds(86_400)

    /// Runs `body` with a store that has one record without an upload id.
    private func withOrphan(
        _ body: (ScriptedS3, UploadCleaner, SessionRecords, SessionRecord) async throws -> Void
    ) async throws {
        try await ScriptedS3.withServer(.minio) { s3 in
            let configuration = try S3Configuration(
                bucket: ScriptedS3.bucket, endpoint: s3.endpoint, region: "us-east-1", addressing: .path)
            let store = S3Store(configuration: configuration, credentials: anyCredentials, logger: quietLogger)
            try await shuttingDown(store) { store in
                let records = SessionRecords(store: store)
                let record = record(session: 1)
                try await records.write(record)
                let cleaner = UploadCleaner(store: store, pauseBetweenAborts: .zero, logger: quietLogger)
                try await body(s3, cleaner, records, record)
            }
        }
    }

    private func record(session: UInt64, upload: String? = nil) -> SessionRecord {
        SessionRecord(
            device: "camera-7", session: SessionID(high: 0, low: session),
            terms: SessionTerms(
                key: "key", size: 12_345, partBytes: 5 << 20, modification: .init(seconds: 1, nanoseconds: 0),
                condition: .absent), upload: upload)
    }

    private func recordCount(_ s3: ScriptedS3) -> Int { s3.keys.count { $0.hasPrefix(".sluice/sessions/") } }

    @Test func emptyUploadAfterItsRecordIsRemoved() async throws {
        try await withOrphan { s3, cleaner, _, _ in
            let orphan = s3.beginUpload("key")
            let young = try await Cleaning(cleaner, olderThan: Self.hour)
            #expect(young.report.keptCount == 1)
            s3.advanceClock(by: Self.day)
            let cleaning = try await Cleaning(cleaner, olderThan: Self.hour)
            #expect(cleaning.removed.map(\.uploads) == [[orphan]])
            #expect((cleaning.report.oldestAge ?? .zero) > Self.hour)
            #expect(s3.uploads.isEmpty && recordCount(s3) == 0)
        }
    }

    /// Sluice sends no part before the session record names the upload. So an upload that has a part, but is named by
    /// no record, belongs to another program.
    @Test func uploadWithAPartIsForeign() async throws {
        try await withOrphan { s3, cleaner, _, _ in
            s3.beginUpload("key", parts: [[1]])
            s3.advanceClock(by: Self.day)
            let cleaning = try await Cleaning(cleaner, olderThan: Self.hour)
            #expect(cleaning.removed.map(\.uploads) == [[]])
            #expect(s3.uploads.count == 1 && recordCount(s3) == 0)
        }
    }

    @Test func uploadOfOtherKeyOrTimeIsForeign() async throws {
        try await withOrphan { s3, cleaner, _, _ in
            s3.beginUpload("key2")
            s3.beginUpload("ke")
            s3.advanceClock(by: .seconds(700))
            s3.beginUpload("key")
            s3.advanceClock(by: Self.day)
            let cleaning = try await Cleaning(cleaner, olderThan: Self.hour)
            #expect(cleaning.removed.map(\.uploads) == [[]])
            #expect(s3.uploads.count == 3)
        }
    }

    @Test func uploadBeforeTheRecordIsForeign() async throws {
        try await ScriptedS3.withServer(.minio) { s3 in
            s3.beginUpload("key")
            s3.advanceClock(by: .seconds(60))
            let configuration = try S3Configuration(
                bucket: ScriptedS3.bucket, endpoint: s3.endpoint, region: "us-east-1", addressing: .path)
            let store = S3Store(configuration: configuration, credentials: anyCredentials, logger: quietLogger)
            try await shuttingDown(store) { store in
                try await SessionRecords(store: store).write(record(session: 1))
                s3.advanceClock(by: Self.day)
                let cleaner = UploadCleaner(store: store, pauseBetweenAborts: .zero, logger: quietLogger)
                let cleaning = try await Cleaning(cleaner, olderThan: Self.hour)
                #expect(cleaning.removed.map(\.uploads) == [[]])
                #expect(s3.uploads.count == 1)
            }
        }
    }

    /// The record of another session of the same key names this upload, and the agent of that session is away. The
    /// cleaner must not remove the upload.
    @Test func uploadNamedByARecordIsThatSessions() async throws {
        try await withOrphan { s3, cleaner, records, _ in
            let live = s3.beginUpload("key")
            s3.advanceClock(by: Self.day)
            try await records.write(record(session: 2, upload: live))
            let cleaning = try await Cleaning(cleaner, olderThan: Self.hour)
            #expect(cleaning.removed.map(\.uploads) == [[]] && cleaning.report.keptCount == 1)
            #expect(s3.uploads.map(\.id) == [live])
        }
    }

    /// Two uploads of the key are named by no record, but only one record lacks an upload id. One of the uploads
    /// belongs to another program, and the cleaner cannot know which, so it keeps both.
    @Test func undecidedUploadStaysVisible() async throws {
        try await withOrphan { s3, cleaner, _, _ in
            s3.beginUpload("key")
            s3.beginUpload("key")
            s3.advanceClock(by: Self.day)
            let cleaning = try await Cleaning(cleaner, olderThan: Self.hour)
            #expect(cleaning.removed.isEmpty && cleaning.report.keptCount == 1)
            #expect(s3.uploads.count == 2)
            var undecided = 0
            for try await entry in cleaner.unfinished() {
                if case .upload(let upload, _) = entry, upload.isUndecided { undecided += 1 }
            }
            #expect(undecided == 1)
        }
    }

    @Test func concurrentCleanersDoNoHarm() async throws {
        try await withOrphan { s3, cleaner, records, _ in
            s3.beginUpload("key")
            let named = s3.beginUpload("key", parts: [[1], [2]])
            try await records.write(record(session: 2, upload: named))
            s3.beginUpload("foreign", parts: [[1]])
            s3.advanceClock(by: Self.day)
            // This call lets the client learn the store's time, before it makes several calls at once.
            _ = try await Cleaning(cleaner, olderThan: Self.day * 7)
            async let left = Cleaning(cleaner, olderThan: Self.hour)
            async let right = Cleaning(cleaner, olderThan: Self.hour)
            let cleanings = try await [left, right]
            #expect(cleanings.allSatisfy { $0.failed.isEmpty })
            #expect(s3.uploads.map(\.key) == ["foreign"] && recordCount(s3) == 0)
        }
    }
}
