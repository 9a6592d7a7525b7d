import FoundationEssentials
import GRDB
package import Logging
package import TransferCore

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Opening a home's journal, and what people are shown of it.
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
        /// What stopped it last; empty where nothing did.
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

    /// - Parameter home: not necessarily locked: reading beside a running agent does no harm.
    package static func unfinished(in home: AgentHome, logger: Logger) throws -> [Unfinished] {
        try open(home, logger: logger).unfinished().map { row, storedBytes in
            Unfinished(
                id: row.id, path: row.path, key: row.key, size: row.saved.stamp.size, storedBytes: storedBytes,
                isDropping: row.isDropping, createdMilliseconds: row.createdMilliseconds, trouble: row.trouble)
        }
    }

    /// Opens the journal; one that is damaged is set aside, never a reason to stop: unfinished uploads are found again
    /// at the gateway (adoption, specification §8.3).
    package static func open(_ home: AgentHome, logger: Logger) throws -> Journal {
        try home.check()
        do {
            return try openOrSetAside(home, logger: logger)
        } catch let error as DatabaseError {
            throw AgentHomeError(opening: home.journalPath, error)
        }
    }

    /// How SQLite tells that a file is not the database that the agent wrote; the last where tables are not as they
    /// were made.
    private static let damage: [ResultCode] = [.SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_ERROR]

    private static func openOrSetAside(_ home: AgentHome, logger: Logger) throws -> Journal {
        do {
            return try Journal.open(home.journalPath)
        } catch let error as DatabaseError where damage.contains(error.resultCode) {
            // Two may be damaged within one second.
            let aside =
                home.journalPath + ".damaged-\(Int64(Date().timeIntervalSince1970))-\(UUID().uuidString.prefix(8))"
            for suffix in ["", "-wal", "-shm"] where FileManager.default.fileExists(atPath: home.journalPath + suffix) {
                try FileManager.default.moveItem(atPath: home.journalPath + suffix, toPath: aside + suffix)
            }
            logger.warning(
                "The journal is damaged and was set aside; push again what was unfinished, and it goes on",
                metadata: ["journal.aside": "\(aside)"])
            return try Journal.open(home.journalPath)
        }
    }
}

extension AgentHomeError {
    fileprivate init(opening journal: String, _ error: DatabaseError) {
        // SQLite tells some of its files' troubles as failed input and output, whatever the cause.
        let isFull = error.resultCode == .SQLITE_FULL || (error.resultCode == .SQLITE_IOERR && hasNoSpace(journal))
        if isFull {
            self.init(.full, "this machine's disk is full: \(journal) cannot be opened; make room, then run it again")
        } else {
            self.init(
                .unusable,
                "cannot open \(journal) (\(error.message ?? "SQLite says no more")); see that it is this user's and "
                    + "that its disk is well")
        }
    }
}

private func hasNoSpace(_ path: String) -> Bool {
    var status = statvfs()
    return statvfs(path, &status) == 0 && (status.f_bavail == 0 || (status.f_files > 0 && status.f_favail == 0))
}

extension AgentHome {
    /// `SLUICE_HOME`, or `.sluice` in the user's home directory.
    package static var usualPath: String {
        let environment = ProcessInfo.processInfo.environment
        return environment["SLUICE_HOME"] ?? (environment["HOME"] ?? ".") + "/.sluice"
    }
}
