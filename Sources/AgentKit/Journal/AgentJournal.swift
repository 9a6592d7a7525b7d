import FoundationEssentials
import GRDB
package import Logging
import TransferCommon
package import TransferCore

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Opens the journal of a home and lists its unfinished uploads for `status`.
package enum AgentJournal {
    /// An unfinished upload, as `status` shows it.
    package struct Unfinished: Equatable, Sendable {
        package var id: UploadID
        package var path: String
        package var key: String
        package var size: UInt64
        package var storedBytes: UInt64
        package var isDropping: Bool
        /// Milliseconds since 1970 by the device's clock.
        package var createdMilliseconds: Int64
        /// Message of the upload's last failure; empty if there was none.
        package var trouble: String

        package init(
            id: UploadID, path: String, key: String, size: UInt64, storedBytes: UInt64, isDropping: Bool,
            createdMilliseconds: Int64, trouble: String
        ) {
            self.id = id
            self.path = path
            self.key = key
            self.size = size
            self.storedBytes = storedBytes
            self.isDropping = isDropping
            self.createdMilliseconds = createdMilliseconds
            self.trouble = trouble
        }
    }

    /// Lists the unfinished uploads. The caller needs no lock, because the journal can be read while an agent writes
    /// it.
    package static func unfinished(in home: AgentHome, logger: Logger) throws -> [Unfinished] {
        try open(home, logger: logger).unfinished().map { row, storedBytes in
            Unfinished(
                id: row.id, path: row.path, key: row.key, size: row.saved.stamp.size, storedBytes: storedBytes,
                isDropping: row.isDropping, createdMilliseconds: row.createdMilliseconds, trouble: row.trouble)
        }
    }

    /// The device's store and key prefix as a gateway last named them; `nil` if none has. The caller needs no lock.
    package static func site(of home: AgentHome, logger: Logger) throws -> DeviceSite? {
        try open(home, logger: logger).site()
    }

    /// Opens the journal. A damaged journal is moved aside and replaced by an empty one. The run continues: when the
    /// agent sends a file again, the gateway finds the unfinished upload of that file (adoption, specification §8.3),
    /// so stored parts are not lost.
    ///
    /// The journal is read completely only after an unclean end, or if another program has changed it (`JournalMark`).
    ///
    /// - Parameter isOwner: whether the caller holds the home's lock.
    package static func open(_ home: AgentHome, isOwner: Bool = false, logger: Logger) throws -> Journal {
        try home.check()
        do {
            return try openOrSetAside(home, isOwner: isOwner, logger: logger)
        } catch let error as DatabaseError {
            throw AgentHomeError(opening: home.journalPath, error)
        }
    }

    /// SQLite's result codes for a file that is damaged or is not the agent's database. SQLITE_ERROR appears when a
    /// table does not have the columns that a migration gave it.
    private static let damage: [ResultCode] = [.SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_ERROR]

    /// Closes a journal that the holder of the home's lock has opened, and marks it as intact.
    ///
    /// - Parameter failed: whether an access to the journal has failed. The journal then gets no mark, and the next run
    ///   examines it. `open` has removed the mark of the previous run.
    package static func close(_ journal: Journal, of home: AgentHome, failed: Bool) throws {
        try journal.close()
        if !failed { JournalMark(of: home).set() }
    }

    private static func openOrSetAside(_ home: AgentHome, isOwner: Bool, logger: Logger) throws -> Journal {
        do {
            let mark = JournalMark(of: home)
            // A process that works in the home has examined the journal already, so this process need not.
            let isIntact = mark.holds || (!isOwner && home.isBusy)
            if isOwner { mark.remove() }
            return try Journal.open(home.journalPath, isIntact: isIntact)
        } catch let error as DatabaseError where damage.contains(error.resultCode) {
            // Add a random suffix to the name: two journals may be renamed within the same second.
            let aside =
                home.journalPath + ".damaged-\(Int64(Date().timeIntervalSince1970))-\(UUID().uuidString.prefix(8))"
            for suffix in ["", "-wal", "-shm"] where FileManager.default.fileExists(atPath: home.journalPath + suffix) {
                try FileManager.default.moveItem(atPath: home.journalPath + suffix, toPath: aside + suffix)
            }
            logger.warning(
                "The journal is damaged and was set aside; push unfinished files again, and their uploads continue",
                metadata: ["journal.aside": "\(aside)"])
            return try Journal.open(home.journalPath)
        }
    }
}

extension AgentHomeError {
    fileprivate init(opening journal: String, _ error: DatabaseError) {
        // When the disk is full, SQLite reports SQLITE_FULL for some of its files and SQLITE_IOERR for others.
        let isFull = error.resultCode == .SQLITE_FULL || (error.resultCode == .SQLITE_IOERR && hasNoSpace(journal))
        if isFull {
            self.init(.full, "this machine's disk is full: \(journal) cannot be opened; make room, then run it again")
        } else {
            self.init(
                .unusable,
                "cannot open \(journal) (\(error.message ?? "SQLite gives no reason")); check that this user owns it "
                    + "and that its disk works")
        }
    }
}

private func hasNoSpace(_ path: String) -> Bool {
    var status = statvfs()
    return statvfs(path, &status) == 0 && (status.f_bavail == 0 || (status.f_files > 0 && status.f_favail == 0))
}
