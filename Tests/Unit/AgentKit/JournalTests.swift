import AgentKit
import Foundation
import GRDB
import Logging
import TestSupport
import Testing
import TransferCommon
import TransferCore
import WireProtocol

/// Tests of writing the journal and of reading it after a restart.
@Suite
struct JournalTests {
    private static let id = UploadID(7)
    private static let subject = Journal.Subject(path: "/data/file", key: "file", policy: .replace)

    private static func stamp(size: UInt64 = 100, inode: UInt64 = 5) -> FileStamp {
        FileStamp(
            device: .max, inode: inode, size: size,
            modification: ModificationTime(seconds: -3, nanoseconds: 999_999_999),
            change: ModificationTime(seconds: 4, nanoseconds: 1))
    }

    private static func session(_ low: UInt64 = 1) -> SavedSession {
        SavedSession(
            session: SessionID(high: .max, low: low), token: [], partBytes: 1 << 23, stamp: stamp(), parts: [],
            losses: 0)
    }

    private static func entry(_ number: UInt32) throws -> PartListEntry {
        PartListEntry(
            part: try #require(PartNumber(number)), size: 50,
            digest: SHA256Digest(bytes: [UInt8](repeating: 9, count: 32)),
            etag: "\"e\(number)\"")
    }

    private func withJournal(_ body: (Journal, () throws -> Journal) throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending(path: "journal").path(percentEncoded: false)
            try body(try Journal.open(path), { try Journal.open(path) })
        }
    }

    private func apply(_ writes: [JournalWrite], to journal: Journal) throws {
        try journal.apply(writes, nowMilliseconds: 1_000) { $0 == Self.id ? Self.subject : nil }
    }

    @Test func readsBackUploadsAndParts() async throws {
        try await withJournal { journal, reopen in
            try apply(
                [
                    .began(Self.id, Self.session()), .token(Self.id, [1, 2, 3]), .stored(Self.id, try Self.entry(2)),
                    .stored(Self.id, try Self.entry(1)),
                ], to: journal)
            let row = try #require(try reopen().record(ofKey: "file").unfinished)
            #expect(row.id == Self.id)
            #expect(row.path == "/data/file")
            #expect(row.policy == .replace)
            #expect(row.saved.session == Self.session().session)
            #expect(row.saved.token == [1, 2, 3])
            #expect(row.saved.stamp == Self.stamp())
            #expect(row.saved.parts == [try Self.entry(1), try Self.entry(2)])
            #expect(try reopen().unfinished().map(\.storedBytes) == [100])
            #expect(try reopen().lastUpload() == 7)
        }
    }

    @Test func newSessionForgetsOldParts() async throws {
        try await withJournal { journal, _ in
            try apply([.began(Self.id, Self.session()), .stored(Self.id, try Self.entry(1))], to: journal)
            try apply([.lost(Self.id, losses: 1), .began(Self.id, Self.session(2))], to: journal)
            let row = try #require(try journal.upload(Self.id))
            #expect(row.saved.parts == [])
            #expect(row.saved.session == SessionID(high: .max, low: 2))
        }
    }

    /// A lost session of a later run must get the part size that the user has chosen for the push.
    @Test(arguments: [nil, 1 << 20, .max] as [UInt64?])
    func chosenPartSizeIsKept(wish: UInt64?) async throws {
        try await withJournal { journal, reopen in
            var subject = Self.subject
            subject.partBytesWish = wish
            try journal.apply([.began(Self.id, Self.session())], nowMilliseconds: 1) { _ in subject }
            #expect(try reopen().upload(Self.id)?.partBytesWish == wish)
        }
    }

    private static func proof(_ session: SessionID?, size: UInt64 = 100) -> UploadReceipt {
        var proof = UploadReceipt(
            size: size, partBytes: 50, root: SHA256Digest(bytes: [UInt8](repeating: 3, count: 32)), evidence: .none,
            etag: "\"e\"", version: "v", session: session, stamp: stamp(size: size))
        proof.site = DeviceSite(store: .zero, device: "cam", prefix: "cam/")
        proof.stampCounts = true
        return proof
    }

    /// After a lost journal, `check --remote` gives the journal a proof, so that `check` knows the file.
    @Test func whatAGatewayHasProvedIsAProof() async throws {
        try await withJournal { journal, reopen in
            let writer = SessionID(high: 1, low: 1)
            try apply([.proved(key: "file", Self.proof(writer))], to: journal)
            let record = try reopen().record(ofKey: "file")
            let proof = try #require(record.proof)
            #expect(record.hasReceipt && record.unfinished == nil)
            #expect(proof.size == 100 && proof.partBytes == 50 && proof.root == Self.proof(nil).root)
            #expect(proof.stamp == Self.stamp() && proof.stampCounts)
            #expect(proof.wholeKey == "cam/file" && proof.store == .zero)
            #expect(proof.session == nil, "the journal does not know that the session was this agent's")
        }
    }

    /// The session of a proof lets a file that grew replace its own object, so a check must not remove it.
    @Test func aProofOfTheSameContentStays() async throws {
        try await withJournal { journal, _ in
            let own = SessionID(high: 2, low: 2)
            try apply(
                [.began(Self.id, Self.session()), .finished(Self.id, .stored(Self.proof(own), wasThere: false))],
                to: journal)
            try apply([.proved(key: "file", Self.proof(nil))], to: journal)
            #expect(try journal.record(ofKey: "file").proof?.session == own)
            try apply([.proved(key: "file", Self.proof(own, size: 101))], to: journal)
            #expect(try journal.record(ofKey: "file").proof?.session == own, "the same session wrote this object, too")
            try apply([.proved(key: "file", Self.proof(SessionID(high: 3, low: 3), size: 102))], to: journal)
            #expect(try journal.record(ofKey: "file").proof?.session == nil)
            #expect(try journal.record(ofKey: "file").proof?.size == 102)
        }
    }

    @Test func partToResendIsNotStored() async throws {
        try await withJournal { journal, _ in
            let entry = try Self.entry(1)
            try apply(
                [.began(Self.id, Self.session()), .stored(Self.id, entry), .unstored(Self.id, [entry.part])],
                to: journal)
            #expect(try journal.upload(Self.id)?.saved.parts == [])
        }
    }

    @Test func finishedUploadLeavesOnlyItsReceipt() async throws {
        try await withJournal { journal, _ in
            var receipt = UploadReceipt(
                size: 100, partBytes: 50, root: nil, evidence: .none, etag: "\"x\"", version: "")
            receipt.stamp = Self.stamp()
            #expect(try !journal.record(ofKey: "file").hasReceipt)
            try apply(
                [.began(Self.id, Self.session()), .finished(Self.id, .stored(receipt, wasThere: false))], to: journal)
            #expect(try journal.upload(Self.id) == nil)
            #expect(try journal.record(ofKey: "file").hasReceipt)
        }
    }

    @Test(arguments: [UploadFailure.Kind.unreachable, .changed, .keyTaken])
    func resumableFailureIsKept(kind: UploadFailure.Kind) async throws {
        try await withJournal { journal, _ in
            let failure = UploadFailure(kind, "because")
            try apply([.began(Self.id, Self.session()), .finished(Self.id, .failed(failure))], to: journal)
            #expect(try journal.upload(Self.id)?.trouble == (failure.isKept ? failure.cause : nil))
        }
    }

    @Test func aKeyHasOneUnfinishedUpload() async throws {
        try await withJournal { journal, _ in
            try journal.apply([.began(UploadID(1), Self.session())], nowMilliseconds: 0) { _ in Self.subject }
            try journal.apply([.began(UploadID(2), Self.session(2))], nowMilliseconds: 0) { _ in Self.subject }
            #expect(try journal.unfinished().map(\.row.id) == [UploadID(2)])
        }
    }

    /// SQLite accepts a value of any type in any column, and its integrity check reports neither a value of a wrong
    /// type nor a missing table. The journal must detect both, so that the agent sets the damaged file aside.
    @Test(arguments: [
        "UPDATE uploads SET size = 'much'", "UPDATE uploads SET session = 'none'", "UPDATE uploads SET created = 1e300",
        "UPDATE parts SET number = x'ff'", "UPDATE parts SET digest = 5", "DROP TABLE parts",
        "ALTER TABLE uploads RENAME COLUMN token TO t", "DELETE FROM grdb_migrations",
    ])
    func journalWithInvalidValuesIsSetAside(statement: String) async throws {
        try await withTemporaryDirectory { directory in
            let home = AgentHome(path: directory.path(percentEncoded: false))
            let written = try AgentJournal.open(home, logger: Logger(label: "test"))
            try apply([.began(Self.id, Self.session()), .stored(Self.id, try Self.entry(1))], to: written)
            let queue = try DatabaseQueue(path: home.journalPath)
            try await queue.writeWithoutTransaction { try $0.execute(sql: statement) }
            try queue.close()
            let journal = try AgentJournal.open(home, logger: Logger(label: "test"))
            #expect(try journal.unfinished().isEmpty)
            let names = try FileManager.default.contentsOfDirectory(atPath: home.path)
            #expect(names.contains { $0.contains("damaged") }, "\(names)")
        }
    }

    /// Another program may change the journal's file while it is open.
    @Test func unexpectedValueIsAnErrorNotATrap() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending(path: "journal").path(percentEncoded: false)
            let journal = try Journal.open(path)
            try apply([.began(Self.id, Self.session())], to: journal)
            let queue = try DatabaseQueue(path: path)
            try await queue.writeWithoutTransaction { try $0.execute(sql: "UPDATE uploads SET losses = 'many'") }
            try queue.close()
            #expect(throws: DatabaseError.self) { try journal.upload(Self.id) }
        }
    }

    @Test func damagedJournalIsReplaced() async throws {
        try await withTemporaryDirectory { directory in
            let home = AgentHome(path: directory.path(percentEncoded: false))
            try Data("this is no database, however one looks at it".utf8).write(to: URL(filePath: home.journalPath))
            let journal = try AgentJournal.open(home, logger: Logger(label: "test"))
            #expect(try journal.unfinished().isEmpty)
            let names = try FileManager.default.contentsOfDirectory(atPath: home.path)
            #expect(names.contains { $0.contains("damaged") }, "\(names)")
        }
    }
}
