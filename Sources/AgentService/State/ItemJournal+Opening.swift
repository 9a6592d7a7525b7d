package import AgentKit
import FolderCore
import Foundation
import GRDB
import SystemSupport
import TransferCommon

// How the journal of items is opened: a damaged file is set aside, and the next file takes from it what is needed for
// safety.

extension ItemJournal {
    /// SQLite's result codes for a file that is damaged or is not the agent's database. SQLITE_ERROR appears when a
    /// table does not have the columns that a migration gave it.
    private static let damage: [ResultCode] = [.SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_ERROR]

    /// Opens the journal, or makes an empty one. All of the file is examined: the records are read now in any case.
    ///
    /// - Parameters:
    ///   - path: of the SQLite file. Two other files have the same path with `-wal` and `-shm`, and the reserve is
    ///     beside it.
    ///   - folderNames: the names of the folders in the settings, in the order of their ids.
    ///   - reserveBytes: how much space is reserved; 0 for none.
    /// - Returns: the journal, and a sentence for people if the file was damaged.
    package static func open(
        path: String, folderNames: [String], reserveBytes: Int,
        clock: @escaping @Sendable () -> BootMoment = { BootMoment.now }
    ) throws -> (journal: ItemJournal, problem: String?) {
        let reserve = SpaceReserve(path: reservePath(beside: path), byteCount: reserveBytes)
        do {
            var problem: String?
            let journal: ItemJournal
            do {
                journal = try connect(path, reserve: reserve, clock: clock)
            } catch let error as DatabaseError where damage.contains(error.resultCode) {
                let aside = try setAside(path)
                journal = try connect(path, reserve: reserve, clock: clock)
                journal.salvage(from: aside)
                problem =
                    "the journal of items was damaged and is now \(aside): files that it proved are compared with the "
                    + "store again before they are deleted or moved; check the disk"
            }
            try journal.setFolders(folderNames)
            // Without space for the reserve the service works; `renewReserve` tries again.
            journal.renewReserve()
            return (journal, problem)
        } catch let error as DatabaseError {
            throw failure(opening: path, error)
        }
    }

    private static func reservePath(beside path: String) -> String {
        URL(fileURLWithPath: path).deletingPathExtension().path + ".reserve"
    }

    private static func connect(
        _ path: String, reserve: SpaceReserve, clock: @escaping @Sendable () -> BootMoment
    ) throws -> ItemJournal {
        if !AtomicFile.exists(path) {
            // SQLite would take the permissions from the umask, and it gives its other files those of this file.
            // try?: if the file cannot be made, SQLite cannot make it either, and reports why.
            try? AtomicFile.writeNew([], to: path, mode: .ownerOnly)
        }
        var configuration = GRDB.Configuration()
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
        }
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        try ItemSchema.migrator.migrate(queue)
        try queue.read(ItemSchema.expectIntact)
        let state = try queue.write { database in
            // These deletions were under way when an earlier run ended. The ids mean other items from now on.
            try database.execute(sql: "UPDATE losses SET place = NULL WHERE place IS NOT NULL")
            return try readState(database)
        }
        let reader = try DatabaseQueue(path: path, configuration: configuration)
        return ItemJournal(path: path, queue: queue, reader: reader, reserve: reserve, state: state, clock: clock)
    }

    private static func readState(_ database: Database) throws -> State {
        guard
            let row = try Row.fetchOne(
                database, sql: "SELECT served, boot, milliseconds, boot_number FROM state WHERE id = 0")
        else { throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "the row of the service time is missing") }
        let boot = try row.decode(String.self, atIndex: 1)
        return State(
            served: .nanoseconds(try row.decode(Int64.self, atIndex: 0)),
            moment: BootMoment(boot: boot, milliseconds: try row.decode(Int64.self, atIndex: 2)), boot: boot,
            bootNumber: try row.decode(Int64.self, atIndex: 3))
    }

    private static func failure(opening path: String, _ error: DatabaseError) -> AgentHomeError {
        let isFull =
            error.resultCode == .SQLITE_FULL
            || (error.resultCode == .SQLITE_IOERR && SpaceReserve.isDiskFull(beside: path))
        return isFull
            ? AgentHomeError(
                .full, "this machine's disk is full: \(path) cannot be opened; make room, then run it again")
            : AgentHomeError(
                .unusable,
                "cannot open \(path) (\(error.message ?? "SQLite gives no reason")); check that this user owns it "
                    + "and that its disk works")
    }

    // MARK: Damage

    /// Renames a damaged journal to the first free name, and returns that name.
    private static func setAside(_ path: String) throws -> String {
        var number = 1
        while AtomicFile.exists("\(path).damaged-\(number)") { number += 1 }
        let aside = "\(path).damaged-\(number)"
        for suffix in ["", "-wal", "-shm"] where AtomicFile.exists(path + suffix) {
            try FileManager.default.moveItem(atPath: path + suffix, toPath: aside + suffix)
        }
        return aside
    }

    /// Copies from a damaged journal what a new one must not lack, as far as it can be read:
    /// - the keys of removed files, whose objects must not be replaced. A wrong one only lets a file get another key;
    /// - the folders that the user has paused;
    /// - files that were being removed and may have a hidden name, without their proofs: they get their names back.
    private func salvage(from damaged: String) {
        var configuration = GRDB.Configuration()
        configuration.readonly = true
        do {
            let source = try DatabaseQueue(path: damaged, configuration: configuration)
            // Each table in a transaction of its own, because an error ends what is copied of one table.
            for copy in [copyRemoved, copyFolders, copyRemovals] {
                try queue.write { database in
                    do {
                        try source.read { try copy($0, database) }
                    } catch let error as DatabaseError where error.resultCode != .SQLITE_FULL {
                        // The rest of the table cannot be read.
                    }
                }
            }
            try source.close()
        } catch {
            // Nothing can be read, or nothing can be written. The new journal is used as it is.
        }
    }

    private func copyRemoved(_ source: Database, _ target: Database) throws {
        let hashes = try Data.fetchCursor(source, sql: "SELECT hash FROM removed")
        while let hash = try hashes.next() {
            guard hash.count == 16 else { continue }
            try target.cachedStatement(sql: "INSERT OR IGNORE INTO removed (hash) VALUES (?)").execute(arguments: [hash]
            )
        }
    }

    private func copyFolders(_ source: Database, _ target: Database) throws {
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

    private func copyRemovals(_ source: Database, _ target: Database) throws {
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
