import Foundation
import TransferCore

extension Journal {
    /// Forgets the tokens and stored parts of all unfinished uploads, because the home is to trust another site. That
    /// site cannot read the tokens, and may have another store. A gateway of the same site finds each upload by its
    /// record.
    func forgetSessions() throws {
        let writes = try unfinished().flatMap { unfinished -> [JournalWrite] in
            let row = unfinished.row
            return [.mayStillAppear(row.id), .lost(row.id, losses: row.saved.losses)]
        }
        try apply(writes, nowMilliseconds: Int64(Date().timeIntervalSince1970 * 1_000)) { _ in nil }
    }
}
