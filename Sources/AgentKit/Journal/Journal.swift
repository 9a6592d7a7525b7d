import Foundation
import GRDB
import SystemSupport
import TransferCommon
package import TransferCore
package import WireProtocol

/// The agent's journal: unfinished uploads with their stored parts, and proofs of finished uploads.
///
/// The journal is one SQLite file. A committed transaction is durable (WAL, synchronous FULL), and after a power
/// failure each transaction is in the file either completely or not at all. All methods block, so they belong on a
/// separate thread (`JournalWriter`).
package struct Journal: Sendable {
    /// One unfinished upload.
    package struct Row: Equatable, Sendable {
        package var id: UploadID
        package var path: String
        /// The path that the user named: `path` itself, or the directory below which the walk found the file. Empty if
        /// it is unknown.
        package var root: String
        package var key: String
        package var policy: ExistingKeyPolicy
        package var isDropping: Bool
        package var saved: SavedSession
        /// Milliseconds since 1970 by the device's clock. For display only, because that clock can be set.
        package var createdMilliseconds: Int64
        /// Message of the upload's last failure; empty if there was none.
        package var trouble: String
        /// Whether the user wants a receipt that the gateway has signed.
        package var wantsReceipt: Bool
        /// The part size that the user has chosen; `nil` if the gateway chooses.
        package var partBytesWish: UInt64?
        /// How many attempts in a row sent data and brought no part of the upload into the store.
        package var fruitlessAttempts: Int
    }

    /// The values in an upload's row that the state machine does not know.
    package struct Subject: Equatable, Sendable {
        package var path: String
        /// The path that the user named, as in `Row.root`; empty if it is unknown.
        package var root: String
        package var key: String
        package var policy: ExistingKeyPolicy
        package var wantsReceipt: Bool
        package var partBytesWish: UInt64?

        package init(
            path: String, root: String = "", key: String, policy: ExistingKeyPolicy, wantsReceipt: Bool = false,
            partBytesWish: UInt64? = nil
        ) {
            self.path = path
            self.root = root
            self.key = key
            self.policy = policy
            self.wantsReceipt = wantsReceipt
            self.partBytesWish = partBytesWish
        }
    }

    let queue: DatabaseQueue
    /// A second connection, so that reads do not wait until a commit has reached the disk.
    let reader: DatabaseQueue
    let clock: @Sendable () -> BootMoment

    /// Opens the journal, or makes an empty one.
    ///
    /// - Parameters:
    ///   - isIntact: whether the file is known to be as an agent left it. Otherwise this method reads all of it, to
    ///     find damage now and not in the middle of a run.
    ///   - clock: time since boot.
    /// - Throws: GRDB's errors. If the file is damaged, the caller has to rename it and call again.
    package static func open(
        _ path: String, isIntact: Bool = false, clock: @escaping @Sendable () -> BootMoment = { BootMoment.now }
    ) throws -> Journal {
        var configuration = GRDB.Configuration()
        // Wait for another process's lock: `abort` may mark an upload in the journal while a push runs.
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")
        }
        makeFile(path)
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        try JournalSchema.migrator.migrate(queue)
        if !isIntact { try queue.read(expectIntact) }
        try countWithdrawnAnew(in: queue, at: clock())
        // Open the second connection for writing, too: the connection that closes last copies the write-ahead log into
        // the database, and this may be the second one.
        let reader = try DatabaseQueue(path: path, configuration: configuration)
        return Journal(queue: queue, reader: reader, clock: clock)
    }

    private static func expectIntact(_ database: Database) throws {
        let verdict = try String.fetchOne(database, sql: "PRAGMA quick_check(1)")
        guard verdict == "ok" else { throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: verdict) }
        try JournalSchema.expectReadable(database)
    }

    /// Closes the file. The journal must not be used afterwards.
    package func close() throws {
        try reader.close()
        try queue.close()
    }

    /// Makes an empty file that only its owner may read, because the journal holds paths and session tokens. SQLite
    /// would take the permissions of a new journal from the umask. To its other files it gives the permissions of the
    /// journal.
    private static func makeFile(_ path: String) {
        guard !AtomicFile.exists(path) else { return }
        // try?: if the file cannot be made, SQLite cannot make it either, and reports why.
        try? AtomicFile.writeNew([], to: path, mode: .ownerOnly)
    }

    /// Removes versions that were withdrawn more than one day ago, because they cannot appear in the store any more
    /// (`KeyRecord.withdrawn`). After a reboot the time since boot begins at 0 again, so a version that was withdrawn
    /// before the reboot counts as withdrawn now.
    private static func countWithdrawnAnew(in queue: DatabaseQueue, at now: BootMoment) throws {
        // Most journals have no withdrawn version. Check first whether there is one: a write would have to wait while
        // another process writes.
        guard try queue.read({ try Bool.fetchOne($0, sql: "SELECT EXISTS (SELECT 1 FROM withdrawn)") }) == true else {
            return
        }
        try queue.write { database in
            try database.execute(
                sql: "UPDATE withdrawn SET boot = ?1, since = ?2 WHERE boot <> ?1 OR since > ?2",
                arguments: [now.boot, now.milliseconds])
            try database.execute(
                sql: "DELETE FROM withdrawn WHERE since < ?", arguments: [now.milliseconds - 86_400_000])
        }
    }

    /// Applies changes in order, in one transaction.
    ///
    /// - Parameters:
    ///   - nowMilliseconds: current time in milliseconds since 1970.
    ///   - subject: returns what only the shell knows of an upload, such as its path; `nil` for an unknown upload.
    package func apply(_ writes: [JournalWrite], nowMilliseconds: Int64, subject: (UploadID) -> Subject?) throws {
        try queue.write { database in
            let transaction = JournalTransaction(database: database, nowMilliseconds: nowMilliseconds, clock: clock)
            for write in writes {
                try transaction.apply(write, subject: subject)
            }
        }
    }

    /// The receipts that gateways have signed.
    package var signedReceipts: SignedReceipts { SignedReceipts(queue: queue, reader: reader) }

    // MARK: Reading

    /// A query as a cached statement: SQLite compiles it once, and not again for each file.
    static func request<Result>(
        _ sql: String, _ arguments: StatementArguments, for result: Result.Type
    ) -> SQLRequest<Result> {
        SQLRequest(sql: sql, arguments: arguments, cached: true)
    }

    /// The highest upload number ever used in this journal, including stored and dropped uploads.
    package func lastUpload() throws -> Int64 {
        let sql = "SELECT max(coalesce((SELECT last FROM numbers), 0), coalesce((SELECT max(id) FROM uploads), 0))"
        return try reader.read { try Int64.fetchOne($0, sql: sql) ?? 0 }
    }

    /// The journal's rows for one key.
    package struct KeyRecord: Equatable, Sendable {
        /// The unfinished upload with its stored parts. A key has at most one.
        package var unfinished: Row?
        /// Whether the key has a receipt row. It may be a row from schema 1, which records that a file was stored but
        /// is no proof of its content.
        package var hasReceipt = false
        /// The object last stored under the key, and the file that it was made from.
        package var proof: StoredProof?
        /// A gateway's signed receipt of the object that the proof names; `nil` if there is none.
        package var signedReceipt: StoredReceipt?
        /// An abandoned version of the file that may still appear in the store.
        package var withdrawn: WithdrawnVersion?
    }

    /// Reads the journal's rows for one key.
    package func record(ofKey key: String) throws -> KeyRecord {
        try reader.read { [now = clock()] in try Self.record($0, ofKey: key, now: now) }
    }

    /// The records of several keys in the same order, read in one transaction.
    ///
    /// - Parameter withReceipts: whether to read the signed receipts, too, which takes another query for each file.
    package func records(ofKeys keys: [String], withReceipts: Bool) throws -> [KeyRecord] {
        try reader.read { [now = clock()] database in
            try keys.map { try Self.record(database, ofKey: $0, withReceipt: withReceipts, now: now) }
        }
    }

    private static func record(
        _ database: Database, ofKey key: String, withReceipt: Bool = true, now: BootMoment
    ) throws -> KeyRecord {
        // Most files are new: this one statement then shows that the key has no rows, and no further query follows.
        let found = try GRDB.Row.fetchOne(
            database,
            request(
                """
                SELECT EXISTS (SELECT 1 FROM uploads WHERE key = ?1) AS is_unfinished,
                    EXISTS (SELECT 1 FROM receipts WHERE key = ?1) AS has_receipt,
                    EXISTS (SELECT 1 FROM withdrawn WHERE key = ?1) AS is_withdrawn
                """, [key], for: GRDB.Row.self))
        guard let found else { return KeyRecord() }
        let proof = try found.value("has_receipt") ? proof(database, ofKey: key) : nil
        return KeyRecord(
            unfinished: try found.value("is_unfinished") ? rows(database, "WHERE key = ?", [key]).first : nil,
            hasReceipt: try found.value("has_receipt"), proof: proof,
            signedReceipt: withReceipt ? try proof.flatMap { try SignedReceipts.newest(of: $0, database) } : nil,
            withdrawn: try found.value("is_withdrawn") ? withdrawn(database, ofKey: key, now: now) : nil)
    }

    /// The proof in a receipt row; `nil` if the row has no stamp or an invalid value.
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
            // A value of the wrong length means a damaged row. It must not count as an absent value.
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
            // A column is NULL or has a value of an unexpected type: the row is no proof.
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

    /// All unfinished uploads, oldest first, without their parts. `storedBytes` is the total size of the stored parts.
    package func unfinished() throws -> [(row: Row, storedBytes: UInt64)] {
        try reader.read { database in
            try Self.rows(database, "ORDER BY id", [], withParts: false).map { row in
                let bytes = try Int64.fetchOne(
                    database, sql: "SELECT total(size) FROM parts WHERE upload = ?", arguments: [row.id.value])
                return (row, UInt64(clamping: bytes ?? 0))
            }
        }
    }

    /// Uploads that this or another process has marked to be dropped.
    package func dropping() throws -> [UploadID] {
        try reader.read { database in
            try Int64.fetchAll(database, sql: "SELECT id FROM uploads WHERE is_dropping ORDER BY id").map(UploadID.init)
        }
    }

    /// The last time at which a file was stored under this key, in milliseconds since 1970 by the device's clock; `nil`
    /// if none was.
    package func finishedMilliseconds(key: String) throws -> Int64? {
        try reader.read { try Int64.fetchOne($0, sql: "SELECT finished FROM receipts WHERE key = ?", arguments: [key]) }
    }

    /// The store and prefix of this device, as a gateway last reported them; `nil` if unknown.
    package func site() throws -> DeviceSite? {
        try reader.read { database in
            guard let row = try GRDB.Row.fetchOne(database, sql: "SELECT * FROM site") else { return nil }
            let store: Data = try row.value("store")
            guard let store = StoreIdentity(bytes: store) else { return nil }
            return DeviceSite(store: store, device: try row.value("device"), prefix: try row.value("prefix"))
        }
    }

    /// How many unfinished uploads there are.
    package func unfinishedCounts() throws -> UnfinishedCounts {
        try reader.read { database in
            let row = try GRDB.Row.fetchOne(
                database,
                sql: """
                    SELECT total(is_dropping <> 0) AS dropping, total(NOT is_dropping AND path = ?1) AS streams,
                        total(NOT is_dropping AND path <> ?1) AS resumable FROM uploads
                    """, arguments: [SourceStream.path])
            guard let row else { return UnfinishedCounts() }
            return UnfinishedCounts(
                resumable: try row.value("resumable"), streams: try row.value("streams"),
                dropping: try row.value("dropping"))
        }
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
        let wish = try row.unsigned("part_bytes_wish")
        let policy = ExistingKeyPolicy(rawValue: UInt8(clamping: try row.value("policy") as Int64)) ?? .verify
        let saved = SavedSession(
            session: session, token: Array(token), partBytes: try row.unsigned("part_bytes"),
            condition: try condition(row), policy: policy, metadata: try metadata(row), stamp: try row.stamp(),
            parts: parts, losses: Int(clamping: try row.value("losses") as Int64))
        return Row(
            id: UploadID(try row.value("id")), path: try row.value("path"), root: try row.value("root"),
            key: try row.value("key"), policy: policy, isDropping: try row.value("is_dropping"), saved: saved,
            createdMilliseconds: try row.value("created"), trouble: try row.value("trouble"),
            wantsReceipt: try row.value("wants_receipt"), partBytesWish: wish > 0 ? wish : nil,
            fruitlessAttempts: Int(clamping: try row.value("fruitless") as Int64))
    }

    /// The session's metadata. For an invalid row the result is empty: the gateway then sees session terms that differ
    /// from the earlier ones, and ends the session (`superseded`).
    private static func metadata(_ row: GRDB.Row) throws -> SessionMetadata {
        let pairs = SessionMetadata.pairs(inLines: try row.value("metadata"))
        let offered = OfferedMetadata(contentType: try row.value("content_type"), pairs: pairs)
        do {
            return try SessionMetadata(offered)
        } catch {
            return .none
        }
    }

    /// The session's write condition. For an invalid row the result is *absent*, with which the upload replaces no
    /// object.
    private static func condition(_ row: GRDB.Row) throws -> WriteCondition {
        let bytes: Data = try row.value("condition_session")
        return WriteCondition(
            code: UInt8(clamping: try row.value("condition") as Int64),
            session: SessionID(hexadecimal(bytes)) ?? SessionID(high: 0, low: 0)) ?? .absent
    }
}

extension GRDB.Row {
    /// The value of a column, or an error. GRDB's subscript ends the process if the column is missing or has a value of
    /// another type. Another program may have written such a value since the journal was opened.
    func value<Value: DatabaseValueConvertible>(_ column: String) throws -> Value {
        do {
            return try decode(Value.self, forColumn: column)
        } catch {
            throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "\(column): \(error)")
        }
    }

    /// The unsigned number in a column. SQLite has only signed numbers, so the column has the signed number with the
    /// same bits.
    fileprivate func unsigned(_ column: String) throws -> UInt64 { UInt64(bitPattern: try value(column)) }

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
