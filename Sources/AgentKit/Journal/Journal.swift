import Foundation
import GRDB
import TransferCommon
package import TransferCore
import WireProtocol

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
        /// The user wants the gateway's signed receipt.
        package var wantsReceipt: Bool
    }

    let queue: DatabaseQueue
    /// A connection of its own, so that whoever looks something up does not wait until the disk has what is written.
    let reader: DatabaseQueue
    let clock: @Sendable () -> BootMoment

    /// Opens the journal, or makes an empty one.
    ///
    /// - Parameter clock: the time since the machine's start.
    /// - Throws: GRDB's errors; a damaged file is the caller's to set aside.
    package static func open(
        _ path: String, clock: @escaping @Sendable () -> BootMoment = { BootMoment.now }
    ) throws -> Journal {
        var configuration = GRDB.Configuration()
        // `abort` writes its mark beside a push that runs.
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")
        }
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        try migrator.migrate(queue)
        let verdict = try queue.read { try String.fetchOne($0, sql: "PRAGMA quick_check(1)") }
        guard verdict == "ok" else { throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: verdict) }
        try queue.read(expectReadable)
        try countWithdrawnAnew(in: queue, at: clock())
        // Not for reading only: whichever connection closes last puts what is in the log where it belongs.
        let reader = try DatabaseQueue(path: path, configuration: configuration)
        return Journal(queue: queue, reader: reader, clock: clock)
    }

    // MARK: Reading

    /// SQLite understands a statement once, not for every file.
    static func request<Result>(
        _ sql: String, _ arguments: StatementArguments, for result: Result.Type
    ) -> SQLRequest<Result> {
        SQLRequest(sql: sql, arguments: arguments, cached: true)
    }

    /// The highest number that an upload has ever had here, uploads that are stored or dropped included.
    package func lastUpload() throws -> Int64 {
        let sql = "SELECT max(coalesce((SELECT last FROM numbers), 0), coalesce((SELECT max(id) FROM uploads), 0))"
        return try reader.read { try Int64.fetchOne($0, sql: sql) ?? 0 }
    }

    /// What the journal has of a key.
    package struct KeyRecord: Equatable, Sendable {
        /// The unfinished upload, with its stored parts; a key has one at most.
        package var unfinished: Row?
        /// Receipts of before there were proofs count, too.
        package var hasReceipt = false
        /// The object that was last stored under the key, and the file that it was made of.
        package var proof: StoredProof?
        /// A version of the file that was given up and may still appear in the store.
        package var withdrawn: WithdrawnVersion?
    }

    /// What is known of a key.
    package func record(ofKey key: String) throws -> KeyRecord {
        try reader.read { [now = clock()] in try Self.record($0, ofKey: key, now: now) }
    }

    /// What is known of keys, all of one moment, in their order.
    package func records(ofKeys keys: [String]) throws -> [KeyRecord] {
        try reader.read { [now = clock()] database in
            try keys.map { try Self.record(database, ofKey: $0, now: now) }
        }
    }

    private static func record(_ database: Database, ofKey key: String, now: BootMoment) throws -> KeyRecord {
        // One statement, for all the files that are new.
        let found = try GRDB.Row.fetchOne(
            database,
            request(
                """
                SELECT EXISTS (SELECT 1 FROM uploads WHERE key = ?1) AS is_unfinished,
                    EXISTS (SELECT 1 FROM receipts WHERE key = ?1) AS has_receipt,
                    EXISTS (SELECT 1 FROM withdrawn WHERE key = ?1) AS is_withdrawn
                """, [key], for: GRDB.Row.self))
        guard let found else { return KeyRecord() }
        return KeyRecord(
            unfinished: try found.value("is_unfinished") ? rows(database, "WHERE key = ?", [key]).first : nil,
            hasReceipt: try found.value("has_receipt"),
            proof: try found.value("has_receipt") ? proof(database, ofKey: key) : nil,
            withdrawn: try found.value("is_withdrawn") ? withdrawn(database, ofKey: key, now: now) : nil)
    }

    /// A receipt without a stamp, or one that something else has changed, proves nothing.
    private static func proof(_ database: Database, ofKey key: String) throws -> StoredProof? {
        guard
            let row = try GRDB.Row.fetchOne(
                database, request("SELECT * FROM receipts WHERE key = ?", [key], for: GRDB.Row.self))
        else { return nil }
        do {
            let sessionBytes: Data = try row.value("session")
            let session = SessionID(hexadecimal(sessionBytes))
            let rootBytes: Data? = try row.value("root")
            let root = rootBytes.flatMap { SHA256Digest(bytes: $0) }
            // Bytes that are no session id or no digest are damage, not the lack of one.
            guard sessionBytes.isEmpty == (session == nil), (rootBytes == nil) == (root == nil) else { return nil }
            var proof = StoredProof(
                session: session, stamp: try row.stamp(size: "file_size"), partBytes: try row.unsigned("part_bytes"),
                root: root, size: try row.unsigned("size"))
            proof.etag = try row.value("etag")
            proof.version = try row.value("version")
            let storeBytes: Data = try row.value("store")
            proof.store = SHA256Digest(bytes: storeBytes)
            guard storeBytes.isEmpty == (proof.store == nil) else { return nil }
            if proof.store != nil { proof.wholeKey = try row.value("whole_key") }
            proof.stampCounts = try row.value("stamp_counts")
            return proof
        } catch {
            // The value is of another kind, or there is none.
            return nil
        }
    }

    private static func withdrawn(
        _ database: Database, ofKey key: String, now: BootMoment
    ) throws -> WithdrawnVersion? {
        try GRDB.Row.fetchOne(
            database, request("SELECT * FROM withdrawn WHERE key = ?", [key], for: GRDB.Row.self)
        ).map { row in
            let moment = BootMoment(boot: try row.value("boot"), milliseconds: try row.value("since"))
            return WithdrawnVersion(stamp: try row.stamp(), age: now.since(moment))
        }
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

    /// Where this device's objects lie, as a gateway said last; `nil` where none has.
    package func site() throws -> DeviceSite? {
        try reader.read { database in
            guard let row = try GRDB.Row.fetchOne(database, sql: "SELECT * FROM site") else { return nil }
            let store: Data = try row.value("store")
            guard let store = StoreIdentity(bytes: store) else { return nil }
            return DeviceSite(store: store, device: try row.value("device"), prefix: try row.value("prefix"))
        }
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
        let policy = ExistingKeyPolicy(rawValue: UInt8(clamping: try row.value("policy") as Int64)) ?? .verify
        let saved = SavedSession(
            session: session, token: Array(token), partBytes: try row.unsigned("part_bytes"),
            condition: try condition(row), policy: policy, metadata: try metadata(row), stamp: try row.stamp(),
            parts: parts, losses: Int(clamping: try row.value("losses") as Int64))
        return Row(
            id: UploadID(try row.value("id")), path: try row.value("path"), key: try row.value("key"),
            policy: policy, isDropping: try row.value("is_dropping"), saved: saved,
            createdMilliseconds: try row.value("created"), trouble: try row.value("trouble"),
            wantsReceipt: try row.value("wants_receipt"))
    }

    /// What makes no sense are other terms than the gateway has, which ends the session (`superseded`).
    private static func metadata(_ row: GRDB.Row) throws -> SessionMetadata {
        let pairs = SessionMetadata.pairs(inLines: try row.value("metadata"))
        let offered = OfferedMetadata(contentType: try row.value("content_type"), pairs: pairs)
        do {
            return try SessionMetadata(offered)
        } catch {
            return .none
        }
    }

    /// What makes no sense replaces nothing.
    private static func condition(_ row: GRDB.Row) throws -> WriteCondition {
        let bytes: Data = try row.value("condition_session")
        return WriteCondition(
            code: UInt8(clamping: try row.value("condition") as Int64),
            session: SessionID(hexadecimal(bytes)) ?? SessionID(high: 0, low: 0)) ?? .absent
    }
}

extension GRDB.Row {
    /// GRDB's subscript ends the process where a column is not there or holds another kind of value; another program
    /// may have come by since the journal was opened.
    func value<Value: DatabaseValueConvertible>(_ column: String) throws -> Value {
        do {
            return try decode(Value.self, forColumn: column)
        } catch {
            throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "\(column): \(error)")
        }
    }

    /// A number that was written by its bits.
    fileprivate func unsigned(_ column: String) throws -> UInt64 { UInt64(bitPattern: try value(column)) }

    /// - Parameter size: the column of the file's size.
    fileprivate func stamp(size: String = "size") throws -> FileStamp {
        FileStamp(
            device: try unsigned("device"), inode: try unsigned("inode"), size: try unsigned(size),
            modification: try time("modified"), change: try time("changed"))
    }

    private func time(_ name: String) throws -> ModificationTime {
        ModificationTime(
            seconds: try value("\(name)_seconds"),
            nanoseconds: UInt32(clamping: try value("\(name)_nanoseconds") as Int64))
    }
}
