import AgentKit
import Foundation
import GRDB
import TestSupport
import Testing
import TransferCommon
import TransferCore
import WireProtocol

/// Tests of the signed receipts in the journal.
@Suite
struct JournalReceiptTests {
    private static func digest(_ value: UInt8) throws -> SHA256Digest {
        try #require(SHA256Digest(bytes: [UInt8](repeating: value, count: 32)))
    }

    private static func statement(
        key: String = "site/file", store: UInt8 = 1, session: UInt64 = 1, time: Int64 = 1_000
    ) throws -> ReceiptStatement {
        ReceiptStatement(
            storeIdentity: try digest(store), siteKey: try digest(2), device: "device", key: key,
            session: SessionID(high: 0, low: session), size: .max, partBytes: 8, evidence: .root(try digest(3)),
            etag: "\"e\"", version: "", timeMilliseconds: time)
    }

    private static func receipt(
        _ statement: ReceiptStatement, signature: UInt8 = 4, certificates: [[UInt8]] = []
    ) throws -> StoredReceipt {
        StoredReceipt(
            statement: try statement.encoded(), signature: [signature], publicKey: [5, 6], certificates: certificates)
    }

    private func withPath(_ body: (String) throws -> Void) async throws {
        try await withTemporaryDirectory { try body($0.appending(path: "journal.db").path(percentEncoded: false)) }
    }

    private func all(_ journal: Journal) throws -> [StoredReceipt] {
        var receipts: [StoredReceipt] = []
        try journal.signedReceipts.forEachReceipt { receipts.append($0) }
        return receipts
    }

    @Test func keptReceiptsAreReadBack() async throws {
        try await withPath { path in
            let receipts = [
                try Self.receipt(Self.statement(key: "a"), certificates: [[1, 2, 3], [4]]),
                try Self.receipt(Self.statement(key: "b", session: .max, time: .max)),
                try Self.receipt(Self.statement(key: "é", time: .min)),
            ]
            try Journal.open(path).signedReceipts.keep(receipts)
            let journal = try Journal.open(path)
            #expect(try all(journal) == receipts)
            for (key, receipt) in zip(["a", "b", "é"], receipts) {
                #expect(try journal.signedReceipts.list(ofKey: key) == [receipt])
            }
            // Keys are compared as bytes. `String` would take the two spellings of this key for equal.
            #expect(try journal.signedReceipts.list(ofKey: "e\u{301}") == [])
        }
    }

    /// A newer receipt of the same session replaces the older one. A receipt of another session is about another
    /// object, so the journal keeps both.
    @Test func aKeyHasOneReceiptOfEachSessionAndStore() async throws {
        try await withPath { path in
            let journal = try Journal.open(path)
            let first = try Self.receipt(Self.statement(time: 1))
            let again = try Self.receipt(Self.statement(time: 3), signature: 7)
            let replaced = try Self.receipt(Self.statement(session: 2, time: 2))
            let elsewhere = try Self.receipt(Self.statement(store: 9, time: 4))
            try journal.signedReceipts.keep([first])
            try journal.signedReceipts.keep([again, replaced, elsewhere])
            #expect(try journal.signedReceipts.list(ofKey: "site/file") == [replaced, again, elsewhere])
        }
    }

    /// A push of an unchanged file changes no row, because the existing rows say more about the object than the result
    /// of this push.
    @Test func unchangedFileKeepsItsRows() async throws {
        try await withPath { path in
            let journal = try Journal.open(path)
            let subject = Journal.Subject(path: "/data/file", key: "file", policy: .verify)
            let statement = try Self.statement()
            let time = ModificationTime(seconds: 8, nanoseconds: 9)
            var stored = UploadReceipt(
                size: statement.size, partBytes: 10, root: nil, evidence: .compositeMD5("x-2"), etag: statement.etag,
                version: "", stamp: FileStamp(device: 1, inode: 2, size: 100, modification: time, change: time))
            stored.site = DeviceSite(store: statement.storeIdentity, device: "camera", prefix: "site/")
            let receipt = try Self.receipt(statement)
            stored.signed = .kept(receipt)
            try journal.apply([.finished(UploadID(1), .stored(stored, wasThere: false))], nowMilliseconds: 1) { _ in
                subject
            }
            let before = try journal.record(ofKey: "file")
            #expect(before.proof != nil && before.signedReceipt == receipt)
            stored.isUnchanged = true
            stored.evidence = .none
            stored.stamp = nil
            try journal.apply([.finished(UploadID(2), .stored(stored, wasThere: true))], nowMilliseconds: 2) { _ in
                subject
            }
            #expect(try journal.record(ofKey: "file") == before)
            #expect(try journal.finishedMilliseconds(key: "file") == 1)
            // The key now holds another object. The signed receipt of the old object does not belong to the new proof.
            stored.isUnchanged = false
            (stored.etag, stored.stamp, stored.signed) = ("another", before.proof?.stamp, .missing)
            try journal.apply([.finished(UploadID(3), .stored(stored, wasThere: true))], nowMilliseconds: 3) { _ in
                subject
            }
            #expect(try journal.record(ofKey: "file").signedReceipt == nil)
        }
    }

    @Test func malformedReceiptIsNotKept() async throws {
        try await withPath { path in
            let journal = try Journal.open(path)
            let bad = StoredReceipt(statement: [1], signature: [2], publicKey: [3])
            #expect(throws: ReceiptStatementError.unknownPurpose) {
                try journal.signedReceipts.keep([Self.receipt(Self.statement()), bad])
            }
            #expect(try all(journal) == [])
        }
    }

    /// A gateway sends a receipt together with the proof of the upload, or alone at a later time.
    @Test(arguments: [false, true])
    func receiptIsKeptWithOrWithoutProof(comesLater: Bool) async throws {
        try await withPath { path in
            let receipt = try Self.receipt(Self.statement())
            var stored = UploadReceipt(size: 1, partBytes: 1, root: nil, evidence: .none, etag: "", version: "")
            stored.signed = comesLater ? .missing : .kept(receipt)
            let writes = [JournalWrite.finished(UploadID(1), .stored(stored, wasThere: false))]
            let journal = try Journal.open(path)
            let subject = Journal.Subject(path: "/data/file", key: "file", policy: .verify)
            try journal.apply(writes, nowMilliseconds: 1) { _ in subject }
            #expect(try all(journal).count == (comesLater ? 0 : 1))
            try journal.apply([.receipt(receipt)], nowMilliseconds: 1) { _ in nil }
            #expect(try all(Journal.open(path)) == [receipt])
            #expect(try journal.record(ofKey: "file").hasReceipt)
        }
    }

    /// Signed receipts and the agent's own proofs are in separate tables and do not affect each other.
    @Test func proofsStayAsTheyAre() async throws {
        try await withPath { path in
            let journal = try Journal.open(path)
            let subject = Journal.Subject(path: "/data/file", key: "site/file", policy: .verify)
            let stored = UploadReceipt(size: 1, partBytes: 1, root: nil, evidence: .none, etag: "", version: "")
            try journal.signedReceipts.keep([Self.receipt(Self.statement())])
            #expect(try !journal.record(ofKey: "site/file").hasReceipt)
            try journal.apply([.finished(UploadID(1), .stored(stored, wasThere: false))], nowMilliseconds: 1) { _ in
                subject
            }
            #expect(try journal.record(ofKey: "site/file").hasReceipt)
            #expect(try all(journal).count == 1)
        }
    }

    @Test func anOldJournalGetsTheTable() async throws {
        try await withPath { path in
            let old = try Journal.open(path)
            let subject = Journal.Subject(path: "/data/file", key: "file", policy: .verify)
            let time = ModificationTime(seconds: 8, nanoseconds: 9)
            let stamp = FileStamp(device: 1, inode: 2, size: 100, modification: time, change: time)
            let saved = SavedSession(
                session: SessionID(high: 1, low: 2), token: [], partBytes: 10, stamp: stamp, parts: [], losses: 0)
            try old.apply([.began(UploadID(4), saved)], nowMilliseconds: 1) { _ in subject }
            let queue = try DatabaseQueue(path: path)
            try queue.inDatabase {
                try $0.execute(
                    sql: """
                        DROP TABLE signed_receipts; DROP TABLE site; ALTER TABLE receipts DROP COLUMN store;
                        ALTER TABLE receipts DROP COLUMN whole_key; ALTER TABLE receipts DROP COLUMN stamp_counts;
                        ALTER TABLE uploads DROP COLUMN wants_receipt; ALTER TABLE uploads DROP COLUMN content_type;
                        ALTER TABLE uploads DROP COLUMN metadata;
                        DELETE FROM grdb_migrations WHERE identifier IN ('3', '4', '5')
                        """)
            }
            try queue.close()
            let journal = try Journal.open(path)
            #expect(try journal.record(ofKey: "file").unfinished?.id == UploadID(4))
            #expect(try all(journal) == [])
            let receipt = try Self.receipt(Self.statement())
            try journal.signedReceipts.keep([receipt])
            #expect(try all(Journal.open(path)) == [receipt])
        }
    }

    /// Bytes that are not a valid receipt do not count as damage of the journal: the verifier refuses them.
    @Test(arguments: [
        ("statement = 'text'", true), ("signature = NULL", true), ("made = 'late'", true), ("store = 1", true),
        ("certificates = x'00'", true), ("statement = x'00'", false), ("public_key = x''", false),
    ])
    func foreignValuesAreNoticed(change: String, isDamage: Bool) async throws {
        try await withPath { path in
            try Journal.open(path).signedReceipts.keep([Self.receipt(Self.statement())])
            let queue = try DatabaseQueue(path: path)
            // This table has no constraints, so it accepts any value.
            try queue.inDatabase {
                try $0.execute(
                    sql: """
                        CREATE TABLE s AS SELECT * FROM signed_receipts; DROP TABLE signed_receipts;
                        ALTER TABLE s RENAME TO signed_receipts; UPDATE signed_receipts SET \(change)
                        """)
            }
            try queue.close()
            if isDamage {
                #expect(throws: DatabaseError.self) { try Journal.open(path) }
            } else {
                #expect(try all(Journal.open(path)).count == 1)
            }
        }
    }

    @Test func certificatesThatAreNotBase64AreAnError() async throws {
        try await withPath { path in
            let journal = try Journal.open(path)
            try journal.signedReceipts.keep([Self.receipt(Self.statement())])
            let queue = try DatabaseQueue(path: path)
            try queue.inDatabase { try $0.execute(sql: "UPDATE signed_receipts SET certificates = '%'") }
            try queue.close()
            #expect(throws: DatabaseError.self) { try all(journal) }
        }
    }
}
