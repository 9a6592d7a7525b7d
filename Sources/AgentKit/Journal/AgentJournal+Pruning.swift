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

    /// 1 January 2020 in milliseconds: proofs with an earlier time were made before the device's clock was set.
    private static let firstPlausible: Int64 = 1_577_836_800_000

    /// Removes old receipts and proofs, so that the journal does not grow forever. SQLite uses the space again for new
    /// rows.
    ///
    /// A proof of a key with an unfinished upload is kept, because the upload may be allowed to replace that object.
    ///
    /// The device's clock is not trusted: if it is ahead of the newest receipt, ages count from that receipt. Without
    /// this rule, a clock that has jumped ahead would remove everything. A proof with an earlier time than
    /// `firstPlausible` has no age, and is kept.
    ///
    /// - Parameter age: what is older than this is removed. Receipts have the gateway's time, proofs the device's.
    /// - Throws: `AgentHomeError` also if another process works in the home.
    package static func prune(_ home: AgentHome, olderThan age: Duration, logger: Logger) throws -> Pruned {
        try home.check()
        let lock = try home.lock()
        let journal = try open(home, isOwner: true, logger: logger)
        let now = Int64(Date().timeIntervalSince1970 * 1_000)
        let pruned = try journal.queue.write { database in
            func oldest(_ query: String) throws -> Int64 {
                let newest = try Int64.fetchOne(database, sql: query) ?? now
                return min(now, newest) - age.components.seconds * 1_000
            }
            let receipts = try SignedReceipts.remove(
                before: oldest("SELECT max(made) FROM signed_receipts"), database)
            try database.execute(
                sql: """
                    DELETE FROM receipts
                        WHERE finished >= ? AND finished < ? AND key NOT IN (SELECT key FROM uploads)
                    """,
                arguments: [Self.firstPlausible, try oldest("SELECT max(finished) FROM receipts")])
            return Pruned(receipts: receipts, proofs: database.changesCount)
        }
        try close(journal, of: home, failed: false)
        withExtendedLifetime(lock) {}
        return pruned
    }
}
