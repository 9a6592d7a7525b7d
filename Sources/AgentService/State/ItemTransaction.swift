import Cryptography
import FolderCore
import Foundation
import GRDB
import TransferCommon

/// One transaction of the journal of items.
struct ItemTransaction {
    /// How many losses are kept: the newest ones.
    static let lossesMax = 100_000

    let database: Database
    /// The folders that the settings name, by their numbers in the journal.
    let folders: [Int64: FolderID]
    let bootNumber: Int64
    /// Whether the journal has records of folders that the settings do not name.
    let hasParked: Bool

    /// The first 16 bytes of the SHA-256 of a key.
    static func hash(_ key: ObjectKey) throws -> Data { Data(try SHA256Digest.of(key.bytes).bytes.prefix(16)) }

    /// Applies one change.
    func apply(_ change: JournalChange) throws {
        switch change {
        case .put(let record): try put(record)
        case .forget(let id):
            try execute("UPDATE losses SET is_certain = 1, place = NULL WHERE place = ? AND generation = ?", values(id))
            try delete(id)
        case .removed(let id, let key):
            try execute("INSERT OR IGNORE INTO removed (hash) VALUES (?)", [Self.hash(key)])
            try delete(id)
        case .shed(let id, let path, let size): try shed(id, path, size: size)
        case .unshed(let id): try execute("DELETE FROM losses WHERE place = ? AND generation = ?", values(id))
        }
    }

    private func put(_ record: ItemRecord) throws {
        // A folder without a number cannot occur: the machine and the journal have the same list.
        guard let folder = folders.first(where: { $0.value == record.folder })?.key else { return }
        if hasParked { try releaseParked(record.key) }
        try ItemRow.put(
            record, into: .items, at: Int64(record.id.place), folder: folder, boot: bootNumber, database)
    }

    /// An item of a folder of the settings has got this key, so its object may be replaced. A parked record with the
    /// key must not prove anything when its folder comes back: it is deleted, and its file is then found like a new
    /// one. If its file was being removed, the record has to stay, because only the record knows the file's hidden
    /// name; its proof is withdrawn.
    private func releaseParked(_ key: ObjectKey) throws {
        try execute(
            "DELETE FROM parked WHERE key = ? AND course <> ?", [Data(key.bytes), ItemRow.Course.removing])
        try execute(
            "UPDATE parked SET stored = ?, since = NULL WHERE key = ? AND stored = ?",
            [ItemRow.Stored.withdrawn, Data(key.bytes), ItemRow.Stored.held])
    }

    private func delete(_ id: ItemID) throws {
        try execute("DELETE FROM items WHERE place = ? AND generation = ?", values(id))
    }

    private func shed(_ id: ItemID, _ path: ItemPath, size: UInt64) throws {
        // Without this line, a transaction that is repeated after an error of its commit would list the file twice.
        try execute("DELETE FROM losses WHERE place = ? AND generation = ?", values(id))
        try execute(
            """
            INSERT INTO losses (place, generation, folder, path, size, made)
                SELECT ?1, ?2, (SELECT name FROM folders WHERE number =
                    (SELECT folder FROM items WHERE place = ?1 AND generation = ?2)), ?3, ?4, ?5
            """,
            values(id) + [
                Data(path.bytes), Int64(bitPattern: size), Int64(Date().timeIntervalSince1970 * 1_000),
            ])
        try execute("DELETE FROM losses WHERE number <= (SELECT max(number) FROM losses) - ?", [Self.lossesMax])
    }

    private func values(_ id: ItemID) -> StatementArguments { [Int64(id.place), Int64(id.generation)] }

    private func execute(_ sql: String, _ arguments: StatementArguments) throws {
        try database.cachedStatement(sql: sql).execute(arguments: arguments)
    }
}
