import Foundation
import GRDB
import TransferCommon
import TransferCore
import WireProtocol

/// One transaction that writes to the journal.
struct JournalTransaction {
    let database: Database
    /// Milliseconds since 1970 by the device's clock.
    let nowMilliseconds: Int64
    /// Time since boot.
    let clock: @Sendable () -> BootMoment

    /// Applies one change.
    ///
    /// - Parameter subject: returns what only the shell knows of an upload, such as its path; `nil` for an unknown
    ///   upload.
    func apply(_ write: JournalWrite, subject: (UploadID) -> Journal.Subject?) throws {
        switch write {
        case .began(let id, let saved):
            guard let subject = subject(id) else { return }
            try begin(id, saved, subject)
        case .token(let id, let token):
            try execute(sql: "UPDATE uploads SET token = ? WHERE id = ?", arguments: [Data(token), id.value])
        case .stored(let id, let entry):
            try execute(
                sql: "INSERT OR REPLACE INTO parts SELECT id, ?, ?, ?, ? FROM uploads WHERE id = ?",
                arguments: [
                    Int64(entry.part.value), Int64(bitPattern: entry.size), Data(entry.digest?.bytes ?? []), entry.etag,
                    id.value,
                ])
        case .unstored(let id, let parts):
            for part in parts {
                try execute(
                    sql: "DELETE FROM parts WHERE upload = ? AND number = ?", arguments: [id.value, Int64(part.value)])
            }
        case .restamped(let id, let stamp):
            try restamp(id, stamp)
        case .lost(let id, let losses):
            try execute(sql: "DELETE FROM parts WHERE upload = ?", arguments: [id.value])
            try execute(sql: "UPDATE uploads SET losses = ?, token = x'' WHERE id = ?", arguments: [losses, id.value])
        case .fruitless(let id, let count):
            try execute(sql: "UPDATE uploads SET fruitless = ? WHERE id = ?", arguments: [count, id.value])
        case .dropping(let id):
            try execute(sql: "UPDATE uploads SET is_dropping = 1 WHERE id = ?", arguments: [id.value])
        case .mayStillAppear(let id):
            try withdraw(id, at: clock())
        case .finished(let id, let outcome):
            try finish(id, outcome, subject(id))
        case .site(let site):
            try execute(
                sql: "INSERT OR REPLACE INTO site (id, store, device, prefix) VALUES (0, ?, ?, ?)",
                arguments: [Data(site.store.bytes), site.device, site.prefix])
        case .proved(let key, let proof):
            try keep(proof, ofKey: key)
        case .doubted(let key):
            try doubt(key)
        case .receipt(let receipt):
            try SignedReceipts.keep(receipt, database)
        }
    }

    /// Keeps the proof of an object that a gateway has found to be a file. A proof of the same content in the same
    /// place stays as it is. A new proof names the session that wrote the object only if the journal's earlier proof of
    /// the key names it, too: only then is it known to be this agent's session.
    private func keep(_ proof: UploadReceipt, ofKey key: String) throws {
        guard let site = proof.site, proof.stamp != nil, let root = proof.root else { return }
        let place: StatementArguments = [key, Data(site.store.bytes), site.wholeKey(key)]
        let content: StatementArguments = [
            Int64(bitPattern: proof.size), Int64(bitPattern: proof.partBytes), Data(root.bytes),
        ]
        let isKnown = try Bool.fetchOne(
            database,
            sql: """
                SELECT EXISTS (SELECT 1 FROM receipts WHERE key = ? AND store = ? AND whole_key = ?
                    AND size = ? AND part_bytes = ? AND root = ?)
                """, arguments: place + content)
        if isKnown == true { return }
        let isOwnSession = try proof.session.flatMap { session in
            try Bool.fetchOne(
                database, sql: "SELECT EXISTS (SELECT 1 FROM receipts WHERE key = ? AND session = ?)",
                arguments: [key, Data(session.bytes)])
        }
        try write(proof, ofKey: key, path: "", session: isOwnSession == true ? proof.session : nil)
    }

    /// Writes the row of a stored object. The row replaces an earlier one of the key.
    ///
    /// - Parameters:
    ///   - path: the path of the file; empty if it is not known which file was sent.
    ///   - session: this agent's session that wrote the object; `nil` if that is not known.
    private func write(_ receipt: UploadReceipt, ofKey key: String, path: String, session: SessionID?) throws {
        try execute(
            sql: """
                INSERT OR REPLACE INTO receipts (key, path, size, part_bytes, root, evidence, etag, version,
                    finished, session, store, whole_key, stamp_counts, \(Self.stampColumns(size: "file_size")))
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                key, path, Int64(bitPattern: receipt.size), Int64(bitPattern: receipt.partBytes),
                receipt.root.map { Data($0.bytes) }, "\(receipt.evidence)", receipt.etag, receipt.version,
                nowMilliseconds, Data(session?.bytes ?? []), Data(receipt.site?.store.bytes ?? []),
                receipt.site?.wholeKey(key) ?? "", receipt.stampCounts,
            ] + (receipt.stamp.map(Self.arguments) ?? StatementArguments(Array(repeating: nil as Int64?, count: 7))))
    }

    /// Records that the stamp of the file that was stored under a key no longer shows what the key holds.
    private func doubt(_ key: String) throws {
        try execute(sql: "UPDATE receipts SET stamp_counts = 0 WHERE key = ?", arguments: [key])
    }

    private func execute(sql: String, arguments: StatementArguments) throws {
        try database.cachedStatement(sql: sql).execute(arguments: arguments)
    }

    private func begin(_ id: UploadID, _ saved: SavedSession, _ subject: Journal.Subject) throws {
        // A key has at most one unfinished upload, so this row replaces an earlier row of the key. If another process
        // has marked the earlier row to be dropped, the new row keeps the mark. It keeps the count of fruitless
        // attempts, too: another session does not make the link better.
        try execute(
            sql: """
                INSERT OR REPLACE INTO uploads (id, path, key, policy, session, token, part_bytes,
                    \(Self.stampColumns()), losses, created, condition, condition_session, content_type, metadata,
                    wants_receipt, root, part_bytes_wish, is_dropping, fruitless)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21,
                    ?22, ?23, (SELECT coalesce(max(is_dropping), 0) FROM uploads WHERE id = ?1),
                    (SELECT coalesce(max(fruitless), 0) FROM uploads WHERE id = ?1))
                """,
            arguments: [
                id.value, subject.path, subject.key, Int64(subject.policy.rawValue), Data(saved.session.bytes),
                Data(saved.token), Int64(bitPattern: saved.partBytes),
            ] + Self.arguments(of: saved.stamp) + [
                saved.losses, nowMilliseconds, Int64(saved.condition.code), Data(saved.condition.session.bytes),
                saved.metadata.contentType, saved.metadata.lines, subject.wantsReceipt, subject.root,
                Int64(bitPattern: subject.partBytesWish ?? 0),
            ])
        // The machine has waited until a withdrawn version of the key can no longer appear in the store, so its row is
        // not needed any more.
        try execute(sql: "DELETE FROM withdrawn WHERE key = ?", arguments: [subject.key])
        // The object may be replaced by this upload, even if the agent never learns of that or later drops the upload.
        // So the stamp of the earlier file no longer shows what the key holds.
        try doubt(subject.key)
        try execute(
            sql: """
                INSERT OR REPLACE INTO numbers (id, last)
                    SELECT 0, max(?, coalesce((SELECT last FROM numbers WHERE id = 0), 0))
                """, arguments: [id.value])
    }

    /// Marks the version of the file in an upload's row as withdrawn now: the version may still appear in the store,
    /// although its upload was abandoned.
    private func withdraw(_ id: UploadID, at now: BootMoment) throws {
        try execute(
            sql: """
                INSERT OR REPLACE INTO withdrawn (key, boot, since, \(Self.stampColumns()))
                    SELECT key, ?, ?, \(Self.stampColumns()) FROM uploads WHERE id = ?
                """, arguments: [now.boot, now.milliseconds, id.value])
    }

    private func restamp(_ id: UploadID, _ stamp: FileStamp) throws {
        try execute(
            sql: "UPDATE uploads SET (\(Self.stampColumns())) = (?, ?, ?, ?, ?, ?, ?) WHERE id = ?",
            arguments: Self.arguments(of: stamp) + [id.value])
    }

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

    private func finish(_ id: UploadID, _ outcome: UploadOutcome, _ subject: Journal.Subject?) throws {
        switch outcome {
        case .stored(let receipt, _) where receipt.isUnchanged:
            break  // The rows of the object are complete, and writing them again would only wear the disk.
        case .stored(let receipt, _):
            try execute(sql: "DELETE FROM uploads WHERE id = ?", arguments: [id.value])
            // Write the signed receipt in this transaction, so that it becomes durable together with the proof of the
            // same object.
            if case .kept(let signed) = receipt.signed { try SignedReceipts.keep(signed, database) }
            guard let subject else { return }
            try write(receipt, ofKey: subject.key, path: subject.path, session: receipt.session)
        case .dropped:
            try execute(sql: "DELETE FROM uploads WHERE id = ?", arguments: [id.value])
        case .failed(let failure) where failure.isKept:
            try execute(sql: "UPDATE uploads SET trouble = ? WHERE id = ?", arguments: [failure.cause, id.value])
        case .failed:
            try execute(sql: "DELETE FROM uploads WHERE id = ?", arguments: [id.value])
        }
    }
}
