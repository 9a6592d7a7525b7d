import Foundation
import GRDB
import TransferCommon
package import TransferCore
import WireProtocol

// Writing to the journal.

extension Journal {
    /// Columns of an upload's row that the state machine does not know.
    package struct Subject: Equatable, Sendable {
        package var path: String
        package var key: String
        package var policy: ExistingKeyPolicy
        package var wantsReceipt: Bool

        package init(path: String, key: String, policy: ExistingKeyPolicy, wantsReceipt: Bool = false) {
            self.path = path
            self.key = key
            self.policy = policy
            self.wantsReceipt = wantsReceipt
        }
    }

    /// Applies changes in order, in one transaction.
    ///
    /// - Parameters:
    ///   - nowMilliseconds: current time in milliseconds since 1970.
    ///   - subject: returns the subject of an upload.
    package func apply(_ writes: [JournalWrite], nowMilliseconds: Int64, subject: (UploadID) -> Subject?) throws {
        try queue.write { database in
            for write in writes {
                try apply(write, database, nowMilliseconds: nowMilliseconds, subject: subject)
            }
        }
    }

    private func apply(
        _ write: JournalWrite, _ database: Database, nowMilliseconds: Int64, subject: (UploadID) -> Subject?
    ) throws {
        switch write {
        case .began(let id, let saved):
            guard let subject = subject(id) else { return }
            try Self.begin(id, saved, subject, database, nowMilliseconds: nowMilliseconds)
        case .token(let id, let token):
            try Self.execute(
                database, sql: "UPDATE uploads SET token = ? WHERE id = ?", arguments: [Data(token), id.value])
        case .stored(let id, let entry):
            try Self.execute(
                database, sql: "INSERT OR REPLACE INTO parts SELECT id, ?, ?, ?, ? FROM uploads WHERE id = ?",
                arguments: [
                    Int64(entry.part.value), Int64(bitPattern: entry.size), Data(entry.digest?.bytes ?? []), entry.etag,
                    id.value,
                ])
        case .unstored(let id, let parts):
            for part in parts {
                try Self.execute(
                    database, sql: "DELETE FROM parts WHERE upload = ? AND number = ?",
                    arguments: [id.value, Int64(part.value)])
            }
        case .restamped(let id, let stamp):
            try Self.restamp(id, stamp, database)
        case .lost(let id, let losses):
            try Self.execute(database, sql: "DELETE FROM parts WHERE upload = ?", arguments: [id.value])
            try Self.execute(
                database, sql: "UPDATE uploads SET losses = ?, token = x'' WHERE id = ?", arguments: [losses, id.value])
        case .dropping(let id):
            try Self.execute(database, sql: "UPDATE uploads SET is_dropping = 1 WHERE id = ?", arguments: [id.value])
        case .mayStillAppear(let id):
            try Self.withdraw(id, database, at: clock())
        case .finished(let id, let outcome):
            try Self.finish(id, outcome, subject(id), database, nowMilliseconds: nowMilliseconds)
        case .site(let site):
            try Self.execute(
                database, sql: "INSERT OR REPLACE INTO site (id, store, device, prefix) VALUES (0, ?, ?, ?)",
                arguments: [Data(site.store.bytes), site.device, site.prefix])
        case .receipt(let receipt):
            try Self.keep(receipt, database)
        }
    }

    private static func execute(_ database: Database, sql: String, arguments: StatementArguments) throws {
        try database.cachedStatement(sql: sql).execute(arguments: arguments)
    }

    private static func begin(
        _ id: UploadID, _ saved: SavedSession, _ subject: Subject, _ database: Database, nowMilliseconds: Int64
    ) throws {
        // A key has at most one unfinished upload, so this row replaces an earlier one. Keep the earlier row's drop
        // mark, which another process may have set.
        try execute(
            database,
            sql: """
                INSERT OR REPLACE INTO uploads (id, path, key, policy, session, token, part_bytes, \(stampColumns()),
                    losses, created, condition, condition_session, content_type, metadata, wants_receipt, is_dropping)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21,
                    (SELECT coalesce(max(is_dropping), 0) FROM uploads WHERE id = ?1))
                """,
            arguments: [
                id.value, subject.path, subject.key, Int64(subject.policy.rawValue), Data(saved.session.bytes),
                Data(saved.token), Int64(bitPattern: saved.partBytes),
            ] + arguments(of: saved.stamp) + [
                saved.losses, nowMilliseconds, Int64(saved.condition.code), Data(saved.condition.session.bytes),
                saved.metadata.contentType, saved.metadata.lines, subject.wantsReceipt,
            ])
        // An upload begins only when a withdrawn version can no longer appear in the store.
        try execute(database, sql: "DELETE FROM withdrawn WHERE key = ?", arguments: [subject.key])
        try execute(
            database,
            sql: """
                INSERT OR REPLACE INTO numbers (id, last)
                    SELECT 0, max(?, coalesce((SELECT last FROM numbers WHERE id = 0), 0))
                """, arguments: [id.value])
    }

    /// Copies from an upload's row which version of which file may still appear, and sets the time to now.
    private static func withdraw(_ id: UploadID, _ database: Database, at now: BootMoment) throws {
        try execute(
            database,
            sql: """
                INSERT OR REPLACE INTO withdrawn (key, boot, since, \(stampColumns()))
                    SELECT key, ?, ?, \(stampColumns()) FROM uploads WHERE id = ?
                """, arguments: [now.boot, now.milliseconds, id.value])
    }

    /// Restarts the waiting time of withdrawn versions after a reboot, because the clock since boot starts again at 0.
    /// Removes versions older than one day, which cannot appear in the store any more.
    static func countWithdrawnAnew(in queue: DatabaseQueue, at now: BootMoment) throws {
        // Most journals have no withdrawn version. Check that first, because a write would wait for the lock of another
        // writer.
        guard try queue.read({ try Bool.fetchOne($0, sql: "SELECT EXISTS (SELECT 1 FROM withdrawn)") }) == true else {
            return
        }
        try queue.write { try countWithdrawnAnew($0, at: now) }
    }

    private static func countWithdrawnAnew(_ database: Database, at now: BootMoment) throws {
        try database.execute(
            sql: "UPDATE withdrawn SET boot = ?1, since = ?2 WHERE boot <> ?1 OR since > ?2",
            arguments: [now.boot, now.milliseconds])
        try database.execute(
            sql: "DELETE FROM withdrawn WHERE since < ?", arguments: [now.milliseconds - 86_400_000])
    }

    private static func restamp(_ id: UploadID, _ stamp: FileStamp, _ database: Database) throws {
        try execute(
            database, sql: "UPDATE uploads SET (\(stampColumns())) = (?, ?, ?, ?, ?, ?, ?) WHERE id = ?",
            arguments: arguments(of: stamp) + [id.value])
    }

    /// - Parameter size: name of the column with the file's size.
    private static func stampColumns(size: String = "size") -> String {
        "device, inode, \(size), modified_seconds, modified_nanoseconds, changed_seconds, changed_nanoseconds"
    }

    /// The values of a stamp in the order of `stampColumns(size:)`.
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
            // The receipt becomes durable together with the proof of the same object.
            if case .kept(let signed) = receipt.signed { try keep(signed, database) }
            guard let subject else { return }
            try execute(
                database,
                sql: """
                    INSERT OR REPLACE INTO receipts (key, path, size, part_bytes, root, evidence, etag, version,
                        finished, session, store, whole_key, stamp_counts, \(stampColumns(size: "file_size")))
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    subject.key, subject.path, Int64(bitPattern: receipt.size), Int64(bitPattern: receipt.partBytes),
                    receipt.root.map { Data($0.bytes) }, "\(receipt.evidence)", receipt.etag, receipt.version,
                    nowMilliseconds, Data(receipt.session?.bytes ?? []), Data(receipt.site?.store.bytes ?? []),
                    receipt.site?.wholeKey(subject.key) ?? "", receipt.stampCounts,
                ] + (receipt.stamp.map(arguments) ?? StatementArguments(Array(repeating: nil as Int64?, count: 7))))
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
