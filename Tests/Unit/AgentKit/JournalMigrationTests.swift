import AgentKit
import Foundation
import GRDB
import TestSupport
import Testing
import TransferCommon
import TransferCore
import WireProtocol

/// Tests of what the migrations added to the journal: upload numbers that are never used twice, proofs, and withdrawn
/// versions. A withdrawn version is one whose upload the agent gave up although its object may still appear.
@Suite
struct JournalMigrationTests {
    private static let subject = Journal.Subject(path: "/data/file", key: "file", policy: .verify)
    private static let time = ModificationTime(seconds: 8, nanoseconds: 9)
    private static let stamp = FileStamp(device: 1, inode: 2, size: 100, modification: time, change: time)

    private static func saved(size: UInt64 = 100) -> SavedSession {
        var stamp = stamp
        stamp.size = size
        return SavedSession(
            session: SessionID(high: 1, low: 2), token: [], partBytes: 1_000, stamp: stamp, parts: [], losses: 0)
    }

    private func apply(_ writes: [JournalWrite], to journal: Journal) throws {
        try journal.apply(writes, nowMilliseconds: 1_000) { _ in Self.subject }
    }

    private func withPath(_ body: (String) throws -> Void) async throws {
        try await withTemporaryDirectory { try body($0.appending(path: "journal.db").path(percentEncoded: false)) }
    }

    /// The schema of version 0.1 before migration 2, with an unfinished upload and a receipt.
    private static let firstSchema = """
        CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY);
        INSERT INTO grdb_migrations VALUES ('1');
        CREATE TABLE uploads (
            id INTEGER PRIMARY KEY, path TEXT NOT NULL, key TEXT NOT NULL UNIQUE, policy INTEGER NOT NULL,
            is_dropping INTEGER NOT NULL DEFAULT 0, session BLOB NOT NULL, token BLOB NOT NULL,
            part_bytes INTEGER NOT NULL, device INTEGER NOT NULL, inode INTEGER NOT NULL, size INTEGER NOT NULL,
            modified_seconds INTEGER NOT NULL, modified_nanoseconds INTEGER NOT NULL,
            changed_seconds INTEGER NOT NULL, changed_nanoseconds INTEGER NOT NULL,
            losses INTEGER NOT NULL, created INTEGER NOT NULL, trouble TEXT NOT NULL DEFAULT ''
        );
        CREATE TABLE parts (
            upload INTEGER NOT NULL REFERENCES uploads(id) ON DELETE CASCADE, number INTEGER NOT NULL,
            size INTEGER NOT NULL, digest BLOB NOT NULL, etag TEXT NOT NULL, PRIMARY KEY (upload, number)
        ) WITHOUT ROWID;
        CREATE TABLE receipts (
            key TEXT PRIMARY KEY, path TEXT NOT NULL, size INTEGER NOT NULL, part_bytes INTEGER NOT NULL,
            root BLOB, evidence TEXT NOT NULL, etag TEXT NOT NULL, version TEXT NOT NULL, finished INTEGER NOT NULL
        ) WITHOUT ROWID;
        INSERT INTO uploads VALUES (
            4, '/data/file', 'file', 0, 0, x'00000000000000010000000000000002', x'010203', 1000, 1, 2, 2000, 8, 9, 8,
            9, 0, 1000, 'interrupted');
        INSERT INTO parts VALUES (4, 1, 1000, x'0505050505050505050505050505050505050505050505050505050505050505', 'e');
        INSERT INTO receipts VALUES ('old', '/data/old', 5, 5, NULL, 'none', 'e', '', 77);
        """

    @Test func anOldJournalIsMigrated() async throws {
        try await withPath { path in
            let queue = try DatabaseQueue(path: path)
            try queue.inDatabase { try $0.execute(sql: Self.firstSchema) }
            try queue.close()
            let journal = try Journal.open(path)
            let row = try #require(try journal.record(ofKey: "file").unfinished)
            #expect(row.id == UploadID(4))
            #expect(row.saved.parts.count == 1)
            #expect(row.saved.metadata == .none)
            #expect(row.trouble == "interrupted")
            #expect(row.path == "/data/file" && row.root.isEmpty)
            #expect(row.fruitlessAttempts == 0)
            #expect(try journal.lastUpload() == 4)
            #expect(try journal.finishedMilliseconds(key: "old") == 77)
            // The old receipt has no file stamp. The journal therefore does not take it for a proof.
            #expect(try journal.record(ofKey: "old").proof == nil)
            try apply([.finished(UploadID(4), .dropped)], to: journal)
            #expect(try Journal.open(path).lastUpload() == 4)
        }
    }

    private static let site: DeviceSite? = SHA256Digest(bytes: [UInt8](repeating: 7, count: 32)).map {
        DeviceSite(store: $0, device: "d", prefix: "site/")
    }

    @Test func migratedProofNamesNoStore() async throws {
        try await withPath { path in
            var receipt = UploadReceipt(size: 100, partBytes: 50, root: nil, evidence: .none, etag: "e", version: "v")
            receipt.stamp = Self.stamp
            receipt.site = Self.site
            receipt.stampCounts = true
            try apply(
                [.finished(UploadID(1), .stored(receipt, wasThere: false)), .began(UploadID(2), Self.saved())],
                to: Journal.open(path))
            let queue = try DatabaseQueue(path: path)
            try queue.inDatabase {
                try $0.execute(
                    sql: """
                        DROP TABLE site; ALTER TABLE receipts DROP COLUMN store;
                        ALTER TABLE receipts DROP COLUMN whole_key; ALTER TABLE receipts DROP COLUMN stamp_counts;
                        ALTER TABLE uploads DROP COLUMN wants_receipt;
                        DELETE FROM grdb_migrations WHERE identifier = '5'
                        """)
            }
            try queue.close()
            let journal = try Journal.open(path)
            let record = try journal.record(ofKey: "file")
            let proof = try #require(record.proof)
            #expect(proof.store == nil && proof.wholeKey == nil && !proof.stampCounts)
            #expect(proof.stamp == Self.stamp && proof.etag == "e" && proof.version == "v")
            #expect(record.unfinished?.wantsReceipt == false)
            #expect(try journal.site() == nil)
        }
    }

    /// The count of fruitless attempts belongs to the upload, and outlives its session. It ends with the upload.
    @Test func fruitlessAttemptsAreKept() async throws {
        try await withPath { path in
            let id = UploadID(1)
            try apply([.began(id, Self.saved()), .fruitless(id, attempts: 2)], to: Journal.open(path))
            #expect(try Journal.open(path).record(ofKey: "file").unfinished?.fruitlessAttempts == 2)
            try apply([.lost(id, losses: 0), .began(id, Self.saved())], to: Journal.open(path))
            #expect(try Journal.open(path).upload(id)?.fruitlessAttempts == 2)
            try apply([.finished(id, .dropped), .began(id, Self.saved())], to: Journal.open(path))
            #expect(try Journal.open(path).upload(id)?.fruitlessAttempts == 0)
        }
    }

    @Test func aProofNamesTheStoreAndTheWholeKey() async throws {
        try await withPath { path in
            var receipt = UploadReceipt(size: 100, partBytes: 50, root: nil, evidence: .none, etag: "e", version: "v")
            receipt.stamp = Self.stamp
            receipt.site = Self.site
            receipt.stampCounts = true
            try apply([.finished(UploadID(1), .stored(receipt, wasThere: false))], to: Journal.open(path))
            let proof = try #require(try Journal.open(path).record(ofKey: "file").proof)
            #expect(proof.store == Self.site?.store && proof.wholeKey == "site/file" && proof.stampCounts)
        }
    }

    @Test func theSiteIsThatOfTheLastGateway() async throws {
        try await withPath { path in
            var site = try #require(Self.site)
            try apply([.site(site)], to: Journal.open(path))
            site.prefix = "other/"
            try apply([.site(site)], to: Journal.open(path))
            #expect(try Journal.open(path).site() == site)
        }
    }

    @Test(arguments: [false, true])
    func requestForReceiptIsKept(wants: Bool) async throws {
        try await withPath { path in
            let subject = Journal.Subject(path: "/data/file", key: "file", policy: .verify, wantsReceipt: wants)
            try Journal.open(path).apply([.began(UploadID(1), Self.saved())], nowMilliseconds: 1) { _ in subject }
            #expect(try Journal.open(path).upload(UploadID(1))?.wantsReceipt == wants)
        }
    }

    @Test(arguments: [
        UploadOutcome.dropped, .failed(UploadFailure(.keyTaken)),
        .stored(
            UploadReceipt(size: 1, partBytes: 1, root: nil, evidence: .none, etag: "", version: ""), wasThere: false),
    ])
    func aNumberIsNeverUsedAgain(outcome: UploadOutcome) async throws {
        try await withPath { path in
            let journal = try Journal.open(path)
            try apply([.began(UploadID(1), Self.saved()), .finished(UploadID(1), outcome)], to: journal)
            #expect(try journal.unfinishedCounts().total == 0)
            #expect(try journal.lastUpload() == 1)
            #expect(try Journal.open(path).lastUpload() == 1)
        }
    }

    @Test func aReceiptIsAProofOfTheFileThatWasRead() async throws {
        try await withPath { path in
            let journal = try Journal.open(path)
            let root = try #require(SHA256Digest(bytes: [UInt8](repeating: 3, count: 32)))
            var receipt = UploadReceipt(
                size: 100, partBytes: 50, root: root, evidence: .root(root), etag: "e", version: "v")
            receipt.session = SessionID(high: 5, low: .max)
            receipt.stamp = Self.stamp
            try apply([.finished(UploadID(1), .stored(receipt, wasThere: false))], to: journal)
            var proof = StoredProof(
                session: SessionID(high: 5, low: .max), stamp: Self.stamp, partBytes: 50, root: root, size: 100)
            (proof.etag, proof.version) = ("e", "v")
            #expect(try Journal.open(path).record(ofKey: "file").proof == proof)
            receipt.session = nil
            receipt.root = nil
            try apply([.finished(UploadID(1), .stored(receipt, wasThere: true))], to: journal)
            let found = try #require(try journal.record(ofKey: "file").proof)
            #expect(found.session == nil && found.root == nil && found.stamp == Self.stamp)
        }
    }

    @Test(arguments: [
        "session = 'text'", "session = x'01'", "store = x'01'", "store = 'text'", "root = x'0102'", "inode = NULL",
        "file_size = 'much'",
        "changed_nanoseconds = 1e300",
    ])
    func aDamagedReceiptIsNoProof(change: String) async throws {
        try await withPath { path in
            let journal = try Journal.open(path)
            var receipt = UploadReceipt(size: 1, partBytes: 1, root: nil, evidence: .none, etag: "e", version: "")
            receipt.stamp = Self.stamp
            try apply([.finished(UploadID(1), .stored(receipt, wasThere: false))], to: journal)
            let queue = try DatabaseQueue(path: path)
            try queue.inDatabase { try $0.execute(sql: "UPDATE receipts SET \(change)") }
            try queue.close()
            #expect(try Journal.open(path).record(ofKey: "file").proof == nil)
        }
    }

    /// The journal measures the age of a withdrawn version by the time since boot, which no user can set. After a
    /// reboot the age starts again at zero.
    @Test func withdrawnVersionAgesByUptime() async throws {
        try await withPath { path in
            func open(_ boot: String, _ milliseconds: Int64) throws -> Journal {
                try Journal.open(path) { BootMoment(boot: boot, milliseconds: milliseconds) }
            }
            let writes = [
                JournalWrite.began(UploadID(1), Self.saved()), .mayStillAppear(UploadID(1)),
                .finished(UploadID(1), .dropped),
            ]
            try apply(writes, to: open("one", 5_000))
            func withdrawn(_ boot: String, _ milliseconds: Int64) throws -> WithdrawnVersion? {
                try open(boot, milliseconds).record(ofKey: "file").withdrawn
            }
            #expect(try withdrawn("one", 7_000) == WithdrawnVersion(stamp: Self.stamp, age: .seconds(2)))
            #expect(try withdrawn("two", 900_000) == WithdrawnVersion(stamp: Self.stamp, age: .zero))
            #expect(try withdrawn("two", 901_000)?.age == .seconds(1))
            // If the clock has gone back, the age of a version is unknown and counts as zero.
            #expect(try withdrawn("two", 10)?.age == .zero)
            #expect(try withdrawn("two", 86_400_011) == nil)
        }
    }

    @Test func nextUploadForgetsWithdrawnVersion() async throws {
        try await withPath { path in
            let journal = try Journal.open(path)
            try apply([.began(UploadID(1), Self.saved()), .mayStillAppear(UploadID(1))], to: journal)
            try apply([.finished(UploadID(1), .dropped)], to: journal)
            #expect(try journal.record(ofKey: "file").withdrawn != nil)
            try apply([.began(UploadID(2), Self.saved(size: 7))], to: journal)
            #expect(try journal.record(ofKey: "file").withdrawn == nil)
        }
    }

    @Test func machineReportsUptime() {
        let (first, second) = (BootMoment.now, BootMoment.now)
        #expect(first.boot == second.boot && !first.boot.isEmpty)
        #expect(first.milliseconds > 0 && second.since(first) < .seconds(60))
    }
}
