import AgentKit
import FolderCore
import GRDB
import TransferCommon

/// What an open journal of items keeps in memory: its row `state`, and which folders the settings name.
struct JournalState {
    /// The service time as last written or passed to `write`.
    var served: ServiceTime
    /// When `served` held.
    var moment: BootMoment
    /// The boot in which the row was written, and its number.
    var boot: String
    var bootNumber: Int64
    /// When the row was written; `nil` if this process has not written it yet.
    var writtenAt: BootMoment?
    /// The ids of the folders of the settings, by their numbers in the journal.
    var folders: [Int64: FolderID] = [:]
    /// Whether there are records of other folders.
    var hasParked = false

    /// Reads the row.
    init(_ database: Database) throws {
        guard
            let row = try Row.fetchOne(
                database, sql: "SELECT served, boot, milliseconds, boot_number FROM state WHERE id = 0")
        else { throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "the row of the service time is missing") }
        boot = try row.decode(String.self, atIndex: 1)
        served = .nanoseconds(try row.decode(Int64.self, atIndex: 0))
        moment = BootMoment(boot: boot, milliseconds: try row.decode(Int64.self, atIndex: 2))
        bootNumber = try row.decode(Int64.self, atIndex: 3)
    }
}
