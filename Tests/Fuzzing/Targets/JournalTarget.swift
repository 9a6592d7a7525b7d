import AgentKit
import Cryptography
import Foundation
import GRDB
import Logging
import SecureChannel
import TransferCommon
import TransferCore
import WireProtocol

extension FuzzTarget {
    /// The agent's journal, damaged by a disk or by another program. The first byte of the input selects what is
    /// changed: bytes of the file, or values and tables of the database.
    package static let journal = FuzzTarget(name: "journal", inputBytesMax: 256) { input in
        var input = FuzzInput(input)
        let journal = try DamagedJournal()
        defer { journal.remove() }
        if input.byte() & 1 == 0 {
            try journal.write(journal.damaged(by: &input))
        } else {
            try journal.write(try DamagedJournal.whole.get())
            while !input.isAtEnd { try journal.change(by: &input) }
        }
        try journal.expectUsable()
    } seeds: { _ in
        var seeds: [String: [UInt8]] = [
            "no-change": [0, 0, 0, 0], "header": [0, 0, 20, 1, 0, 1, 9], "cut": [0, 0xFF, 1, 7],
            "empty": [0, 0xFF, 0, 0],
            "page": [0, 16, 3, 255], "schema": [0, 1, 200, 3], "rows": [0, 0x50, 10, 4, 0x50, 200, 5],
        ]
        for statement in stride(from: 0, to: DamagedJournal.statements.count, by: 2) {
            seeds["statement-\(statement)"] = [1, UInt8(statement), UInt8(statement % 6)]
        }
        // The journal's own tables do not accept NULL in this column. A copy of a table has no constraints, so it
        // accepts NULL.
        let copied = DamagedJournal.statements.firstIndex { $0.hasPrefix("CREATE TABLE u ") } ?? 0
        let session = DamagedJournal.statements.firstIndex { $0.hasPrefix("UPDATE uploads SET session") } ?? 0
        seeds["null"] = [1, UInt8(copied), 0, UInt8(session), 6]
        return seeds
    }
}

private struct DamagedJournal {
    private static let key = "file"
    private static let subject = Journal.Subject(path: "/data/file", key: key, policy: .verify)
    private static let columns = [
        "uploads": [
            "id", "path", "key", "policy", "is_dropping", "session", "token", "part_bytes", "device", "inode", "size",
            "modified_seconds", "modified_nanoseconds", "changed_seconds", "changed_nanoseconds", "losses", "created",
            "trouble",
        ],
        "parts": ["upload", "number", "size", "digest", "etag"],
        "receipts": [
            "key", "path", "size", "part_bytes", "root", "evidence", "etag", "version", "finished", "session",
            "device", "inode", "file_size", "modified_seconds", "modified_nanoseconds", "changed_seconds",
            "changed_nanoseconds",
        ],
        "signed_receipts": [
            "key", "store", "session", "made", "statement", "signature", "public_key", "certificates",
        ],
        "numbers": ["id", "last"],
        "withdrawn": [
            "key", "boot", "since", "device", "inode", "size", "modified_seconds", "modified_nanoseconds",
            "changed_seconds", "changed_nanoseconds",
        ],
    ]
    /// A question mark in a statement stands for a value.
    static let statements: [String] =
        columns.sorted { $0.key < $1.key }.flatMap { table, columns in
            columns.map { "UPDATE \(table) SET \($0) = ?" }
        } + [
            "DROP TABLE parts", "DROP TABLE receipts", "DELETE FROM grdb_migrations", "DROP TABLE grdb_migrations",
            "INSERT INTO grdb_migrations VALUES ('4')", "DELETE FROM grdb_migrations WHERE identifier = '2'",
            "DROP TABLE numbers", "DELETE FROM numbers", "DROP TABLE withdrawn",
            "CREATE TABLE u AS SELECT * FROM uploads; DROP TABLE uploads; ALTER TABLE u RENAME TO uploads",
            "CREATE TABLE p AS SELECT * FROM parts; DROP TABLE parts; ALTER TABLE p RENAME TO parts",
            "ALTER TABLE uploads DROP COLUMN losses", "ALTER TABLE uploads RENAME COLUMN session TO s",
            "DROP TABLE uploads", "CREATE TABLE other (x)", "ALTER TABLE parts DROP COLUMN etag",
        ]

    static let whole = Result { try makeWhole() }

    private let home: AgentHome

    init() throws {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "sluice-fuzz-\(ProcessInfo.processInfo.processIdentifier)-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        home = AgentHome(path: folder.path(percentEncoded: false))
    }

    func remove() {
        // If the directory cannot be removed, it stays in the temporary folder.
        try? FileManager.default.removeItem(atPath: home.path)
    }

    func write(_ bytes: [UInt8]) throws {
        try Data(bytes).write(to: URL(filePath: home.journalPath))
    }

    func damaged(by input: inout FuzzInput) throws -> [UInt8] {
        var bytes = try Self.whole.get()
        while !input.isAtEnd {
            let place = Int(input.integer(bytes: 2))
            let value = input.byte()
            if place >= 0xFF00 {
                bytes = Array(bytes.prefix((place & 0xFF) << 8 | Int(value)))
            } else if !bytes.isEmpty {
                bytes[place % bytes.count] ^= value
            }
        }
        return bytes
    }

    func change(by input: inout FuzzInput) throws {
        let queue = try DatabaseQueue(path: home.journalPath)
        let statement = Self.statements[input.choice(Self.statements.count)]
        let values: [any DatabaseValueConvertible] = [
            "text", Int64.min, Int64.max, 1e300, Double.nan, Data([0xFF, 0xFE]), DatabaseValue.null, "", -1, 0, 1.5,
            Data(), String(repeating: "9", count: 30),
        ]
        let value = values[input.choice(values.count)]
        do {
            try queue.inDatabase { database in
                let arguments: StatementArguments = statement.contains("?") ? [value] : []
                try database.execute(sql: statement, arguments: arguments)
            }
        } catch is DatabaseError {
            // SQLite rejects the statement, because an earlier statement dropped the table, or a key would occur twice.
        }
        try queue.close()
    }

    /// Checks that the agent continues with the readable rows or with an empty journal, or reports the fault.
    func expectUsable() throws {
        let journal: Journal
        do {
            journal = try AgentJournal.open(home, logger: Logger(label: "fuzz") { _ in SwiftLogNoOpLogHandler() })
        } catch let error as AgentHomeError {
            return try expect(!error.description.isEmpty, "an error without a sentence")
        }
        do {
            try use(journal)
        } catch let error as DatabaseError {
            // The quick check of SQLite does not read every page, so damage may be found only now. The error must
            // describe it.
            try expect(!error.description.isEmpty, "an error without a sentence")
        }
    }

    private func use(_ journal: Journal) throws {
        for (row, storedBytes) in try journal.unfinished() {
            _ = try journal.upload(row.id)
            let line = AgentJournal.Unfinished(
                id: row.id, path: row.path, key: row.key, size: row.saved.stamp.size, storedBytes: storedBytes,
                isDropping: row.isDropping, createdMilliseconds: row.createdMilliseconds, trouble: row.trouble
            ).line
            try expect(!line.isEmpty, "an upload without a line")
        }
        _ = try journal.record(ofKey: Self.key)
        _ = try journal.dropping()
        _ = try journal.finishedMilliseconds(key: "old")
        _ = try (journal.record(ofKey: "old"), journal.record(ofKey: "withdrawn"))
        _ = try (journal.lastUpload(), journal.unfinishedCounts())
        try journal.signedReceipts.forEachReceipt { receipt in
            let text = ReceiptFile.text(of: [receipt])
            try expect(!text.isEmpty, "a receipt without a text")
        }
        _ = try journal.signedReceipts.list(ofKey: Self.key)
        try journal.apply(Self.writes(id: 9), nowMilliseconds: 1) { _ in Self.subject }
        try expect(try journal.upload(UploadID(9))?.saved.parts.count == 2, "a written value is missing")
    }

    /// A receipt with an invalid signature. This is enough, because the journal does not verify signatures.
    private static let signed: StoredReceipt? = SHA256Digest(bytes: [UInt8](repeating: 5, count: 32)).map { digest in
        let statement = ReceiptStatement(
            storeIdentity: digest, siteKey: digest, device: "camera-7", key: key,
            session: SessionID(high: 3, low: 4), size: 5, partBytes: 5, evidence: .root(digest), etag: "e",
            version: "", timeMilliseconds: 1)
        // Every field has a valid form, so encoding does not fail. If it did, the test with the undamaged file would
        // fail.
        let bytes = (try? statement.encoded()) ?? []
        return StoredReceipt(statement: bytes, signature: [1], publicKey: [2], certificates: [[3], [4]])
    }

    private static func writes(id: Int64) -> [JournalWrite] {
        let time = ModificationTime(seconds: 1_767_225_600, nanoseconds: 5)
        let stamp = FileStamp(device: 1, inode: 2, size: 2_000, modification: time, change: time)
        let saved = SavedSession(
            session: SessionID(high: 1, low: 2), token: [1, 2, 3], partBytes: 1_000, stamp: stamp, parts: [], losses: 0)
        let stored = (1...2).compactMap { PartNumber($0) }.map { part in
            JournalWrite.stored(
                UploadID(id),
                PartListEntry(
                    part: part, size: 1_000, digest: SHA256Digest(bytes: [UInt8](repeating: 5, count: 32)),
                    etag: "\"e\""))
        }
        return [.began(UploadID(id), saved)] + stored
    }

    private static func makeWhole() throws -> [UInt8] {
        let made = try DamagedJournal()
        defer { made.remove() }
        do {
            let journal = try Journal.open(made.home.journalPath)
            var receipt = UploadReceipt(size: 5, partBytes: 5, root: nil, evidence: .none, etag: "e", version: "")
            let time = ModificationTime(seconds: 1, nanoseconds: 2)
            receipt.stamp = FileStamp(device: 1, inode: 2, size: 5, modification: time, change: time)
            receipt.session = SessionID(high: 3, low: 4)
            let old = Journal.Subject(path: "/data/old", key: "old", policy: .verify)
            let finished = JournalWrite.finished(UploadID(3), .stored(receipt, wasThere: false))
            try journal.apply(Array(writes(id: 3).prefix(1)) + [finished], nowMilliseconds: 1) { _ in old }
            let withdrawn = Journal.Subject(path: "/data/withdrawn", key: "withdrawn", policy: .verify)
            let dropped = [JournalWrite.mayStillAppear(UploadID(5)), .finished(UploadID(5), .dropped)]
            try journal.apply(writes(id: 5) + dropped, nowMilliseconds: 1) { _ in withdrawn }
            try journal.apply(writes(id: 7), nowMilliseconds: 1) { _ in subject }
            try journal.signedReceipts.keep([signed].compactMap { $0 })
        }
        // Closing the database merges its write-ahead log into the file.
        return Array(try Data(contentsOf: URL(filePath: made.home.journalPath)))
    }
}
