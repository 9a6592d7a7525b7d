import FoundationEssentials
import GRDB
package import Logging
package import TransferCore

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
        do {
            return try Journal.open(home.journalPath)
        } catch let error as DatabaseError where [.SQLITE_CORRUPT, .SQLITE_NOTADB].contains(error.resultCode) {
            let aside = home.journalPath + ".damaged-\(Int64(Date().timeIntervalSince1970))"
            for suffix in ["", "-wal", "-shm"] where FileManager.default.fileExists(atPath: home.journalPath + suffix) {
                try FileManager.default.moveItem(atPath: home.journalPath + suffix, toPath: aside + suffix)
            }
            logger.warning("The journal is damaged and was set aside", metadata: ["journal.aside": "\(aside)"])
            return try Journal.open(home.journalPath)
        }
    }
}

extension AgentJournal.Unfinished {
    /// The upload in one line: number, how far it is, key, file, and what stopped it.
    package var line: String {
        let far = "\(ProgressLines.size(storedBytes)) of \(ProgressLines.size(size)) stored"
        let state = isDropping ? "being dropped" : trouble.isEmpty ? "" : "stopped: \(trouble)"
        return "\(id.value)  \(far)  \(key)  \(path)" + (state.isEmpty ? "" : "  (\(state))")
    }
}

extension AgentHome {
    /// `SLUICE_HOME`, or `.sluice` in the user's home directory.
    package static var usualPath: String {
        let environment = ProcessInfo.processInfo.environment
        return environment["SLUICE_HOME"] ?? (environment["HOME"] ?? ".") + "/.sluice"
    }
}
