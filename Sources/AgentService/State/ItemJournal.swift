import AgentKit
package import FolderCore
import Foundation
import GRDB
import Synchronization
package import TransferCommon

/// The journal of items: one SQLite file with the records of all folders, the keys of removed files, and the losses.
///
/// A transaction that `write` has committed is durable (WAL, synchronous FULL). All methods block, so they belong on a
/// thread of their own. The process that holds the home's lock opens the journal once.
///
/// Folders are kept by name. `ItemID` and `FolderID` hold within one run: a folder's position in the settings may
/// change, and `setFolders` may move records to other places.
package final class ItemJournal: Sendable {
    /// The time after which a transaction writes the service time again. The row is on a page of its own, which costs
    /// as many bytes as the record of a file. After a reboot, grace may last longer by this time, never shorter.
    private static let servedInterval = Duration.seconds(60)

    let path: String
    let queue: DatabaseQueue
    /// A second connection, so that reads do not wait until a commit has reached the disk.
    private let reader: DatabaseQueue
    private let clock: @Sendable () -> BootMoment
    private let reserve: SpaceReserve
    let state: Mutex<JournalState>

    init(
        path: String, queue: DatabaseQueue, reader: DatabaseQueue, reserve: SpaceReserve, state: JournalState,
        clock: @escaping @Sendable () -> BootMoment
    ) {
        self.path = path
        self.queue = queue
        self.reader = reader
        self.reserve = reserve
        self.state = Mutex(state)
        self.clock = clock
    }

    // MARK: The settings

    /// Takes the names of the folders from the settings; the positions of the names are the ids of the folders. Call it
    /// again when the settings have changed and the machine is made anew, before `restore`.
    ///
    /// Records of folders that are no longer named are kept without places. They get new places when their folder is
    /// named again.
    package func setFolders(_ names: [String]) throws {
        let (folders, hasParked) = try queue.write { try ItemPlaces.arrange(names, $0) }
        state.withLock {
            $0.folders = folders
            $0.hasParked = hasParked
        }
    }

    // MARK: Time

    /// The service time that was written last. If the computer was not restarted since, the time that has passed since
    /// then is added.
    package var served: ServiceTime {
        state.withLock { $0.served + clock().since($0.moment) }
    }

    // MARK: The start

    /// Calls `each` with up to 1,000 records at a time, in the order of their places. Records of folders that the
    /// settings do not name are left out.
    ///
    /// - Parameter each: gets the records, and whether the computer was not restarted since they were written. The
    ///   journal may be used meanwhile.
    package func restore(_ each: (_ records: [ItemRecord], _ isSameBoot: Bool) -> Void) throws {
        let (folders, boot) = state.withLock { state in
            // Until this boot has a number of its own, each record is from an earlier boot.
            (state.folders, state.boot == clock().boot ? state.bootNumber : nil)
        }
        var next: Int64? = 0
        while let first = next {
            var batch: [(record: ItemRecord, isSameBoot: Bool)] = []
            next = try reader.read { database in
                let rows = try Row.fetchCursor(
                    database,
                    SQLRequest(
                        sql: """
                            SELECT place, boot, folder, \(ItemRow.columns) FROM items
                                WHERE place >= ? ORDER BY place LIMIT 1000
                            """, arguments: [first], cached: true))
                var last: Int64?
                while let row = try rows.next() {
                    last = try row.decode(Int64.self, atIndex: 0)
                    guard let folder = folders[try row.decode(Int64.self, atIndex: 2)],
                        let record = try ItemRow.record(row, folder: folder)
                    else { continue }
                    batch.append((record, try row.decode(Int64.self, atIndex: 1) == boot))
                }
                return last.flatMap { $0 < .max ? $0 + 1 : nil }
            }
            var rest = batch[...]
            while let isSameBoot = rest.first?.isSameBoot {
                let run = rest.prefix { $0.isSameBoot == isSameBoot }
                each(run.map(\.record), isSameBoot)
                rest = rest.dropFirst(run.count)
            }
        }
    }

    // MARK: Writing

    /// Writes the changes in order, in one transaction, which is durable when this method returns `nil`. It is safe to
    /// repeat a transaction that has failed.
    package func write(_ changes: [JournalChange], served: ServiceTime) -> JournalFailure? {
        let now = clock()
        var state = state.withLock { $0 }
        let isOfThisBoot = state.boot == now.boot
        if !isOfThisBoot {
            state.boot = now.boot
            state.bootNumber = state.bootNumber < .max ? state.bootNumber + 1 : 0
        }
        let isServedDue =
            !isOfThisBoot || changes.isEmpty
            || state.writtenAt.map { now.since($0) >= Self.servedInterval } ?? true
        do {
            try queue.write { database in
                let transaction = ItemTransaction(
                    database: database, folders: state.folders, bootNumber: state.bootNumber,
                    hasParked: state.hasParked)
                for change in changes { try transaction.apply(change) }
                guard isServedDue else { return }
                try database.cachedStatement(
                    sql: "UPDATE state SET served = ?, boot = ?, milliseconds = ?, boot_number = ?"
                ).execute(arguments: [served.nanosecondsClamped, now.boot, now.milliseconds, state.bootNumber])
            }
        } catch {
            let failure = failure(error)
            if failure == .full { reuseLog() }
            return failure
        }
        (state.served, state.moment) = (served, now)
        if isServedDue { state.writtenAt = now }
        self.state.withLock { [state] in
            ($0.served, $0.moment, $0.writtenAt) = (state.served, state.moment, state.writtenAt)
            ($0.boot, $0.bootNumber) = (state.boot, state.bootNumber)
        }
        return nil
    }

    private func failure(_ error: any Error) -> JournalFailure {
        guard let error = error as? DatabaseError else { return .failed(JournalWriter.failure(error).cause) }
        if error.resultCode == .SQLITE_FULL { return .full }
        if error.resultCode == .SQLITE_IOERR, SpaceReserve.isDiskFull(beside: path) { return .full }
        return .failed(error.message ?? "SQLite gives no reason")
    }

    // MARK: Questions

    /// Whether the agent has removed a file with this key, in whatever folder. Because only hashes of keys are kept,
    /// the answer may be true for another key, with a probability that does not matter.
    package func wasRemoved(_ key: ObjectKey) throws -> Bool {
        let hash = try ItemTransaction.hash(key)
        return try reader.read { database in
            try Bool.fetchOne(
                database,
                SQLRequest(
                    sql: "SELECT EXISTS (SELECT 1 FROM removed WHERE hash = ?)", arguments: [hash], cached: true))
                ?? false
        }
    }

    /// The names of the folders that the user has paused. Among them may be folders that the settings do not name.
    package func paused() throws -> Set<String> {
        try reader.read { Set(try String.fetchAll($0, sql: "SELECT name FROM folders WHERE is_paused")) }
    }

    /// Notes whether the user has paused a folder, for the next run.
    package func setPaused(_ folder: String, _ isPaused: Bool) throws {
        try queue.write { database in
            // A folder that the settings do not name yet has no records: it begins as parked.
            try database.execute(
                sql: """
                    INSERT INTO folders (name, is_parked, is_paused) VALUES (?, 1, ?)
                        ON CONFLICT (name) DO UPDATE SET is_paused = excluded.is_paused
                    """, arguments: [folder, isPaused])
        }
    }

    /// The files that were shed, in the order of their deletion; the last `lossesMax` of them.
    package func shed() throws -> [ItemLoss] {
        try reader.read { database in
            try Row.fetchAll(
                database, sql: "SELECT folder, path, size, made, is_certain FROM losses ORDER BY number"
            ).map { row in
                ItemLoss(
                    folder: try row.decode(String?.self, atIndex: 0),
                    path: ItemPath(try row.decode(Data.self, atIndex: 1)),
                    size: UInt64(bitPattern: try row.decode(Int64.self, atIndex: 2)),
                    milliseconds: try row.decode(Int64.self, atIndex: 3),
                    isCertain: try row.decode(Bool.self, atIndex: 4))
            }
        }
    }

    /// How many records the journal keeps of each folder that the settings do not name.
    package func parked() throws -> [String: Int] {
        try reader.read { database in
            let rows = try Row.fetchAll(
                database,
                sql: "SELECT name, count(*) FROM parked JOIN folders ON folders.number = folder GROUP BY folder")
            var counts: [String: Int] = [:]
            for row in rows {
                counts[try row.decode(String.self, atIndex: 0)] = try row.decode(Int.self, atIndex: 1)
            }
            return counts
        }
    }

    // MARK: Space

    /// How many bytes of the journal's file are in use, for the limit of the state. The file does not shrink when
    /// records are deleted: SQLite writes new ones to the pages that became free. The log and the reserve do not count.
    package var sizeBytes: UInt64 {
        do {
            return try reader.read { database in
                func pragma(_ name: String) throws -> Int64 {
                    try Int64.fetchOne(database, sql: "PRAGMA \(name)") ?? 0
                }
                let pages = try pragma("page_count") - pragma("freelist_count")
                return UInt64(clamping: pages) &* UInt64(clamping: try pragma("page_size"))
            }
        } catch {
            return SpaceReserve.size(of: path) ?? 0  // The next transaction fails for the same reason, and says why.
        }
    }

    /// Gives the reserved space to the file system, because a removal needs space for its records.
    package func freeReserve() {
        reserve.free()
        reuseLog()
    }

    /// Copies the write-ahead log into the database, so that SQLite writes the next transactions over the log's blocks.
    /// On a full disk the log cannot grow, but it may have room for many transactions.
    private func reuseLog() {
        // try?: without space for it the log stays as it is, and the next transaction fails and says why.
        try? queue.writeWithoutTransaction { _ = try $0.checkpoint(.restart) }
    }

    /// Reserves the space again.
    ///
    /// - Returns: whether it is reserved now; false if the disk has no space for it.
    @discardableResult
    package func renewReserve() -> Bool { reserve.renew() }

    /// Closes the file. The journal must not be used afterwards.
    package func close() {
        // try?: a connection that cannot be closed leaves its log, which the next run reads.
        try? reader.close()
        try? queue.close()  // As above.
    }
}
