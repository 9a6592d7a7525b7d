import Foundation
import GRDB
package import TransferCore
package import WireProtocol

/// The agent's journal: which uploads were begun, what is stored of them, and receipts of what was finished.
///
/// One SQLite file. A transaction is durable when it has been committed (WAL, synchronous FULL); a power cut takes
/// whole transactions or nothing. Calls block and belong on a thread of their own (`JournalWriter`).
package struct Journal: Sendable {
    /// An upload as the journal has it.
    package struct Row: Equatable, Sendable {
        package var id: UploadID
        package var path: String
        package var key: String
        package var policy: ExistingKeyPolicy
        package var isDropping: Bool
        package var saved: SavedSession
        /// Milliseconds since 1970 by the device's clock: for people to read, compared with nothing.
        package var createdMilliseconds: Int64
        /// What stopped it last; empty where nothing did.
        package var trouble: String
    }

    private let queue: DatabaseQueue
    /// A connection of its own, so that whoever looks something up does not wait until the disk has what is written.
    private let reader: DatabaseQueue

    /// Opens the journal, or makes an empty one.
    ///
    /// - Throws: GRDB's errors; a damaged file is the caller's to set aside.
    package static func open(_ path: String) throws -> Journal {
        var configuration = GRDB.Configuration()
        // `abort` writes its mark beside a push that runs.
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")
        }
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { database in try database.execute(sql: schema) }
        migrator.registerMigration("conditions") { database in try database.execute(sql: conditions) }
        try migrator.migrate(queue)
        let verdict = try queue.read { try String.fetchOne($0, sql: "PRAGMA quick_check(1)") }
        guard verdict == "ok" else { throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: verdict) }
        try queue.read(expectReadable)
        // Not for reading only: whichever connection closes last puts what is in the log where it belongs.
        return Journal(queue: queue, reader: try DatabaseQueue(path: path, configuration: configuration))
    }

    private static let schema = """
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
        """

    /// The write condition of a session, as it is on the wire. One that was begun before there were conditions replaces
    /// nothing.
    private static let conditions = """
        ALTER TABLE uploads ADD COLUMN condition INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE uploads ADD COLUMN condition_session BLOB NOT NULL DEFAULT x'';
        """

    /// What a table's columns hold, by the names that SQLite has for it.
    private static let kinds = [
        "uploads": [
            "integer": [
                "id", "policy", "is_dropping", "part_bytes", "device", "inode", "size", "modified_seconds",
                "modified_nanoseconds", "changed_seconds", "changed_nanoseconds", "losses", "created", "condition",
            ], "text": ["path", "key", "trouble"], "blob": ["session", "token", "condition_session"],
        ],
        "parts": ["integer": ["upload", "number", "size"], "text": ["etag"], "blob": ["digest"]],
        "receipts": ["integer": ["size", "part_bytes", "finished"], "text": ["key", "path", "evidence"]],
    ]

    /// SQLite keeps any kind of value in any column. A file that something else has changed has them, and passes its
    /// check of itself.
    private static func expectReadable(_ database: Database) throws {
        for (table, kinds) in kinds {
            let tests = kinds.flatMap { kind, columns in columns.map { "typeof(\($0)) = '\(kind)'" } }
            let strange = "SELECT EXISTS (SELECT 1 FROM \(table) WHERE NOT (\(tests.joined(separator: " AND "))))"
            guard try Bool.fetchOne(database, sql: strange) == false else {
                throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "values of another kind in \(table)")
            }
        }
    }

    // MARK: Reading

    /// SQLite understands a statement once, not for every file.
    private static func request<Result>(
        _ sql: String, _ arguments: StatementArguments, for result: Result.Type
    ) -> SQLRequest<Result> {
        SQLRequest(sql: sql, arguments: arguments, cached: true)
    }

    /// The highest number that an upload has ever had here.
    package func lastUpload() throws -> Int64 {
        try reader.read { try Int64.fetchOne($0, sql: "SELECT max(id) FROM uploads") ?? 0 }
    }

    /// What the journal has of a key.
    package struct KeyRecord: Equatable, Sendable {
        /// The unfinished upload, with its stored parts; a key has one at most.
        package var unfinished: Row?
        /// A file was finished under it once.
        package var hasReceipt: Bool
    }

    /// What is known of a key.
    package func record(ofKey key: String) throws -> KeyRecord {
        try reader.read { try Self.record($0, ofKey: key) }
    }

    /// What is known of keys, all of one moment, in their order.
    package func records(ofKeys keys: [String]) throws -> [KeyRecord] {
        try reader.read { database in try keys.map { try Self.record(database, ofKey: $0) } }
    }

    private static func record(_ database: Database, ofKey key: String) throws -> KeyRecord {
        // One statement, for all the files that are new.
        let found = try GRDB.Row.fetchOne(
            database,
            request(
                """
                SELECT EXISTS (SELECT 1 FROM uploads WHERE key = ?1) AS is_unfinished,
                    EXISTS (SELECT 1 FROM receipts WHERE key = ?1) AS has_receipt
                """, [key], for: GRDB.Row.self))
        guard let found else { return KeyRecord(unfinished: nil, hasReceipt: false) }
        return KeyRecord(
            unfinished: try found.value("is_unfinished") ? rows(database, "WHERE key = ?", [key]).first : nil,
            hasReceipt: try found.value("has_receipt"))
    }

    /// An unfinished upload by its number, with its stored parts.
    package func upload(_ id: UploadID) throws -> Row? {
        try reader.read { try Self.rows($0, "WHERE id = ?", [id.value]).first }
    }

    /// Every unfinished upload, oldest first, without its parts: `storedBytes` tells how far each is.
    package func unfinished() throws -> [(row: Row, storedBytes: UInt64)] {
        try reader.read { database in
            try Self.rows(database, "ORDER BY id", [], withParts: false).map { row in
                let bytes = try Int64.fetchOne(
                    database, sql: "SELECT total(size) FROM parts WHERE upload = ?", arguments: [row.id.value])
                return (row, UInt64(clamping: bytes ?? 0))
            }
        }
    }

    /// Uploads that are to be dropped, by the word of this or another process.
    package func dropping() throws -> [UploadID] {
        try reader.read { database in
            try Int64.fetchAll(database, sql: "SELECT id FROM uploads WHERE is_dropping ORDER BY id").map(UploadID.init)
        }
    }

    /// When a file was last finished under this key, by the device's clock; `nil` for never.
    package func finishedMilliseconds(key: String) throws -> Int64? {
        try reader.read { try Int64.fetchOne($0, sql: "SELECT finished FROM receipts WHERE key = ?", arguments: [key]) }
    }

    /// How many uploads are unfinished.
    package func unfinishedCount() throws -> Int {
        try reader.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM uploads") ?? 0 }
    }

    private static func rows(
        _ database: Database, _ condition: String, _ arguments: StatementArguments, withParts: Bool = true
    ) throws -> [Row] {
        try GRDB.Row.fetchAll(database, request("SELECT * FROM uploads \(condition)", arguments, for: GRDB.Row.self))
            .compactMap {
                try row($0, parts: withParts ? parts(database, upload: $0.value("id")) : [])
            }
    }

    private static func parts(_ database: Database, upload: Int64) throws -> [PartListEntry] {
        try GRDB.Row.fetchAll(
            database, request("SELECT * FROM parts WHERE upload = ? ORDER BY number", [upload], for: GRDB.Row.self)
        ).compactMap { row in
            guard let number = PartNumber(UInt32(clamping: try row.value("number") as Int64)) else { return nil }
            let digest: Data = try row.value("digest")
            return PartListEntry(
                part: number, size: UInt64(clamping: try row.value("size") as Int64),
                digest: SHA256Digest(bytes: digest), etag: try row.value("etag"))
        }
    }

    private static func row(_ row: GRDB.Row, parts: [PartListEntry]) throws -> Row? {
        let session: Data = try row.value("session")
        guard let session = SessionID(hexadecimal(session)) else { return nil }
        let token: Data = try row.value("token")
        let stamp = FileStamp(
            device: UInt64(bitPattern: try row.value("device")), inode: UInt64(bitPattern: try row.value("inode")),
            size: UInt64(bitPattern: try row.value("size")), modification: try row.time("modified"),
            change: try row.time("changed"))
        let policy = ExistingKeyPolicy(rawValue: UInt8(clamping: try row.value("policy") as Int64)) ?? .verify
        let saved = SavedSession(
            session: session, token: Array(token), partBytes: UInt64(bitPattern: try row.value("part_bytes")),
            condition: try condition(row), policy: policy, stamp: stamp, parts: parts,
            losses: Int(clamping: try row.value("losses") as Int64))
        return Row(
            id: UploadID(try row.value("id")), path: try row.value("path"), key: try row.value("key"),
            policy: policy, isDropping: try row.value("is_dropping"), saved: saved,
            createdMilliseconds: try row.value("created"), trouble: try row.value("trouble"))
    }

    /// What makes no sense replaces nothing.
    private static func condition(_ row: GRDB.Row) throws -> WriteCondition {
        let bytes: Data = try row.value("condition_session")
        return WriteCondition(
            code: UInt8(clamping: try row.value("condition") as Int64),
            session: SessionID(hexadecimal(bytes)) ?? SessionID(high: 0, low: 0)) ?? .absent
    }

    // MARK: Writing

    /// What a row needs that the machine does not know.
    package struct Subject: Equatable, Sendable {
        package var path: String
        package var key: String
        package var policy: ExistingKeyPolicy

        package init(path: String, key: String, policy: ExistingKeyPolicy) {
            self.path = path
            self.key = key
            self.policy = policy
        }
    }

    /// Applies changes in one transaction, in order.
    ///
    /// - Parameter subject: the subject of an upload.
    package func apply(_ writes: [JournalWrite], nowMilliseconds: Int64, subject: (UploadID) -> Subject?) throws {
        try queue.write { database in
            for write in writes {
                try Self.apply(write, database, nowMilliseconds: nowMilliseconds, subject: subject)
            }
        }
    }

    private static func apply(
        _ write: JournalWrite, _ database: Database, nowMilliseconds: Int64, subject: (UploadID) -> Subject?
    ) throws {
        switch write {
        case .began(let id, let saved):
            guard let subject = subject(id) else { return }
            try begin(id, saved, subject, database, nowMilliseconds: nowMilliseconds)
        case .token(let id, let token):
            try execute(
                database, sql: "UPDATE uploads SET token = ? WHERE id = ?", arguments: [Data(token), id.value])
        case .stored(let id, let entry):
            try execute(
                database, sql: "INSERT OR REPLACE INTO parts SELECT id, ?, ?, ?, ? FROM uploads WHERE id = ?",
                arguments: [
                    Int64(entry.part.value), Int64(bitPattern: entry.size), Data(entry.digest?.bytes ?? []), entry.etag,
                    id.value,
                ])
        case .unstored(let id, let parts):
            for part in parts {
                try execute(
                    database, sql: "DELETE FROM parts WHERE upload = ? AND number = ?",
                    arguments: [id.value, Int64(part.value)])
            }
        case .restamped(let id, let stamp):
            try restamp(id, stamp, database)
        case .lost(let id, let losses):
            try execute(database, sql: "DELETE FROM parts WHERE upload = ?", arguments: [id.value])
            try execute(
                database, sql: "UPDATE uploads SET losses = ?, token = x'' WHERE id = ?", arguments: [losses, id.value])
        case .dropping(let id):
            try execute(database, sql: "UPDATE uploads SET is_dropping = 1 WHERE id = ?", arguments: [id.value])
        case .finished(let id, let outcome):
            try finish(id, outcome, subject(id), database, nowMilliseconds: nowMilliseconds)
        }
    }

    private static func execute(_ database: Database, sql: String, arguments: StatementArguments) throws {
        try database.cachedStatement(sql: sql).execute(arguments: arguments)
    }

    private static func begin(
        _ id: UploadID, _ saved: SavedSession, _ subject: Subject, _ database: Database, nowMilliseconds: Int64
    ) throws {
        // A key has one unfinished upload: what was begun there before is gone on with, or superseded by this. Another
        // process may have marked it meanwhile.
        try execute(
            database,
            sql: """
                INSERT OR REPLACE INTO uploads (id, path, key, policy, session, token, part_bytes, device, inode, size,
                    modified_seconds, modified_nanoseconds, changed_seconds, changed_nanoseconds, losses, created,
                    condition, condition_session, is_dropping)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,
                    (SELECT coalesce(max(is_dropping), 0) FROM uploads WHERE id = ?1))
                """,
            arguments: [
                id.value, subject.path, subject.key, Int64(subject.policy.rawValue), Data(saved.session.bytes),
                Data(saved.token), Int64(bitPattern: saved.partBytes),
            ] + arguments(of: saved.stamp) + [
                saved.losses, nowMilliseconds, Int64(saved.condition.code), Data(saved.condition.session.bytes),
            ])
    }

    private static func restamp(_ id: UploadID, _ stamp: FileStamp, _ database: Database) throws {
        try execute(
            database,
            sql: """
                UPDATE uploads SET device = ?, inode = ?, size = ?, modified_seconds = ?, modified_nanoseconds = ?,
                    changed_seconds = ?, changed_nanoseconds = ? WHERE id = ?
                """,
            arguments: arguments(of: stamp) + [id.value])
    }

    /// In the order of the table's columns.
    private static func arguments(of stamp: FileStamp) -> StatementArguments {
        [
            Int64(bitPattern: stamp.device), Int64(bitPattern: stamp.inode), Int64(bitPattern: stamp.size),
            stamp.modification.seconds, Int64(stamp.modification.nanoseconds), stamp.change.seconds,
            Int64(stamp.change.nanoseconds),
        ]
    }

    private static func finish(
        _ id: UploadID, _ outcome: UploadOutcome, _ subject: Subject?, _ database: Database, nowMilliseconds: Int64
    ) throws {
        switch outcome {
        case .stored(let receipt, _):
            try execute(database, sql: "DELETE FROM uploads WHERE id = ?", arguments: [id.value])
            guard let subject else { return }
            try execute(
                database, sql: "INSERT OR REPLACE INTO receipts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                arguments: [
                    subject.key, subject.path, Int64(bitPattern: receipt.size), Int64(bitPattern: receipt.partBytes),
                    receipt.root.map { Data($0.bytes) }, "\(receipt.evidence)", receipt.etag, receipt.version,
                    nowMilliseconds,
                ])
        case .dropped:
            try execute(database, sql: "DELETE FROM uploads WHERE id = ?", arguments: [id.value])
        case .failed(let failure) where failure.isKept:
            try execute(
                database, sql: "UPDATE uploads SET trouble = ? WHERE id = ?", arguments: [failure.cause, id.value])
        case .failed:
            try execute(database, sql: "DELETE FROM uploads WHERE id = ?", arguments: [id.value])
        }
    }
}

extension GRDB.Row {
    /// GRDB's subscript ends the process where a column is not there or holds another kind of value; another program
    /// may have come by since the journal was opened.
    fileprivate func value<Value: DatabaseValueConvertible>(_ column: String) throws -> Value {
        do {
            return try decode(Value.self, forColumn: column)
        } catch {
            throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "\(column): \(error)")
        }
    }

    fileprivate func time(_ name: String) throws -> ModificationTime {
        ModificationTime(
            seconds: try value("\(name)_seconds"),
            nanoseconds: UInt32(clamping: try value("\(name)_nanoseconds") as Int64))
    }
}
