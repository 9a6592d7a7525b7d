import Foundation
import GRDB
package import Logging

extension AgentJournal {
    /// The numbers of rows that `prune` has removed.
    package struct Pruned: Equatable, Sendable {
        /// Receipts that gateways have signed.
        package var receipts: Int
        /// The agent's own proofs of stored files.
        package var proofs: Int
    }

    /// Removes old receipts and proofs, so that the journal does not grow forever. SQLite uses the space again for new
    /// rows.
    ///
    /// A proof of a key with an unfinished upload is kept, because the upload may be allowed to replace that object.
    ///
    /// - Parameter age: what is older than this is removed. Receipts have the gateway's time, proofs the device's.
    /// - Throws: `AgentHomeError` also if another process works in the home.
    package static func prune(_ home: AgentHome, olderThan age: Duration, logger: Logger) throws -> Pruned {
        try home.check()
        let lock = try home.lock()
        let journal = try open(home, isOwner: true, logger: logger)
        let oldest = Int64(Date().timeIntervalSince1970 * 1_000) - age.components.seconds * 1_000
        let pruned = try journal.queue.write { database in
            let receipts = try SignedReceipts.remove(before: oldest, database)
            try database.execute(
                sql: "DELETE FROM receipts WHERE finished < ? AND key NOT IN (SELECT key FROM uploads)",
                arguments: [oldest])
            return Pruned(receipts: receipts, proofs: database.changesCount)
        }
        try close(journal, of: home, failed: false)
        withExtendedLifetime(lock) {}
        return pruned
    }
}
