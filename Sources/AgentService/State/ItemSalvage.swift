import FolderCore
import Foundation
import GRDB

/// Copies from a damaged journal of items what the new one must not lack, as far as it can be read:
/// - the keys of removed files, whose objects must not be replaced. A wrong one only lets a file get another key;
/// - the folders that the user has paused;
/// - the records of files that were being removed and may have a hidden name. They come without their proofs, so that
///   these files get their names back and are not deleted.
enum ItemSalvage {
    /// - Parameters:
    ///   - damaged: the path of the damaged file.
    ///   - target: the new journal, before its folders are set.
    static func copy(from damaged: String, to target: DatabaseQueue) {
        var configuration = GRDB.Configuration()
        configuration.readonly = true
        do {
            let source = try DatabaseQueue(path: damaged, configuration: configuration)
            // Each table in a transaction of its own, because an error ends what is copied of one table.
            for copyTable in [copyRemoved, copyFolders, copyRemovals] {
                try target.write { database in
                    do {
                        try source.read { try copyTable($0, database) }
                    } catch let error where (error as? DatabaseError)?.resultCode != .SQLITE_FULL {
                        // The rest of the table cannot be read.
                    }
                }
            }
            try source.close()
        } catch {
            // Nothing can be read, or nothing can be written. The new journal is used as it is.
        }
    }

    private static func copyRemoved(_ source: Database, _ target: Database) throws {
        let hashes = try Data.fetchCursor(source, sql: "SELECT hash FROM removed")
        while let hash = try hashes.next() {
            guard hash.count == 16 else { continue }
            let insertion = try target.cachedStatement(sql: "INSERT OR IGNORE INTO removed (hash) VALUES (?)")
            try insertion.execute(arguments: [hash])
        }
    }

    private static func copyFolders(_ source: Database, _ target: Database) throws {
        let rows = try Row.fetchCursor(source, sql: "SELECT number, name, is_paused FROM folders")
        while let row = try rows.next() {
            try target.execute(
                sql: "INSERT OR IGNORE INTO folders (number, name, is_parked, is_paused) VALUES (?, ?, 1, ?)",
                arguments: [
                    try row.decode(Int64.self, atIndex: 0), try row.decode(String.self, atIndex: 1),
                    try row.decode(Bool.self, atIndex: 2),
                ])
        }
    }

    private static func copyRemovals(_ source: Database, _ target: Database) throws {
        for table in [ItemRow.Table.items, .parked] {
            let rows = try Row.fetchCursor(
                source,
                sql: """
                    SELECT \(table.place), boot, folder, \(ItemRow.columns) FROM \(table.rawValue) WHERE course = ?
                    """, arguments: [ItemRow.Course.removing])
            while let row = try rows.next() {
                guard var record = try ItemRow.record(row, folder: FolderID(0)), let proof = record.stored.record
                else { continue }
                record.stored = .withdrawn(proof)
                let folder = try row.decode(Int64.self, atIndex: 2)
                try ItemRow.put(record, into: .parked, at: nil, folder: folder, boot: 0, target)
            }
        }
    }
}
