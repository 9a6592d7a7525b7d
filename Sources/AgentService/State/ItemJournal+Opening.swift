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
                ItemSalvage.copy(from: aside, to: journal.queue)
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
            // A large transaction, such as the first scan of a folder, must not leave a large log.
            try database.execute(
                sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 4194304")
        }
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        try ItemSchema.migrator.migrate(queue)
        try queue.read(ItemSchema.expectIntact)
        let state = try queue.write { database in
            // These deletions were under way when an earlier run ended. The ids mean other items from now on.
            try database.execute(sql: "UPDATE losses SET place = NULL WHERE place IS NOT NULL")
            return try JournalState(database)
        }
        let reader = try DatabaseQueue(path: path, configuration: configuration)
        return ItemJournal(path: path, queue: queue, reader: reader, reserve: reserve, state: state, clock: clock)
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
}
