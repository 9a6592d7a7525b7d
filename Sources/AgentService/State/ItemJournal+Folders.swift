import FolderCore
import GRDB
import Synchronization

// Which records belong to folders of the settings, and which places they have.

extension ItemJournal {
    /// Takes the names of the folders from the settings; the positions of the names are the ids of the folders. Call
    /// before `restore`, and again when the settings have changed and the machine is made anew.
    ///
    /// Records of folders that are no longer named lose their places and are kept; they get new places when their
    /// folder is named again. So all places belong to records that `restore` gives, and a new item can have any other
    /// place.
    package func setFolders(_ names: [String]) throws {
        let (folders, hasParked) = try queue.write { database in
            let folders = try Self.number(names, database)
            try Self.park(except: folders, database)
            for folder in folders.keys { try Self.unpark(folder, database) }
            try Self.closeGaps(database)
            let hasParked = try Bool.fetchOne(database, sql: "SELECT EXISTS (SELECT 1 FROM parked)") ?? false
            return (folders, hasParked)
        }
        state.withLock {
            $0.folders = folders
            $0.hasParked = hasParked
        }
    }

    /// The ids of the folders by their numbers in the journal. SQLite compares the names by their bytes.
    private static func number(_ names: [String], _ database: Database) throws -> [Int64: FolderID] {
        var folders: [Int64: FolderID] = [:]
        for (position, name) in names.enumerated() {
            try database.execute(sql: "INSERT OR IGNORE INTO folders (name) VALUES (?)", arguments: [name])
            let number = try Int64.fetchOne(
                database, sql: "SELECT number FROM folders WHERE name = ?", arguments: [name])
            guard let number, folders[number] == nil else { continue }
            folders[number] = FolderID(UInt32(clamping: position))
        }
        return folders
    }

    private static func park(except folders: [Int64: FolderID], _ database: Database) throws {
        let numbers = try Int64.fetchAll(database, sql: "SELECT number FROM folders WHERE NOT is_parked")
        for number in numbers where folders[number] == nil {
            try database.execute(
                sql: """
                    INSERT INTO parked (\(ItemRow.columns)) SELECT \(ItemRow.columns) FROM items WHERE folder = ?
                    """, arguments: [number])
            try database.execute(sql: "DELETE FROM items WHERE folder = ?", arguments: [number])
            try database.execute(sql: "UPDATE folders SET is_parked = 1 WHERE number = ?", arguments: [number])
        }
    }

    /// Gives the folder's parked records the places behind all others.
    private static func unpark(_ folder: Int64, _ database: Database) throws {
        let isParked = try Bool.fetchOne(
            database, sql: "SELECT is_parked FROM folders WHERE number = ?", arguments: [folder])
        guard isParked == true else { return }
        try database.execute(
            sql: """
                INSERT INTO items (place, \(ItemRow.columns))
                    SELECT (SELECT coalesce(max(place), -1) FROM items) + row_number() OVER (ORDER BY number),
                        \(ItemRow.columns) FROM parked WHERE folder = ?
                """, arguments: [folder])
        try database.execute(sql: "DELETE FROM parked WHERE folder = ?", arguments: [folder])
        try database.execute(sql: "UPDATE folders SET is_parked = 0 WHERE number = ?", arguments: [folder])
    }

    /// How many places may be empty besides as many as there are records.
    static let emptyPlacesMax: Int64 = 10_000

    /// Moves the records with the largest places to empty ones, if more than half of the places are empty. The table of
    /// items needs memory for each place up to the largest, and takes no record after a very large gap.
    private static func closeGaps(_ database: Database) throws {
        let count = try Int64.fetchOne(database, sql: "SELECT count(*) FROM items") ?? 0
        let last = try Int64.fetchOne(database, sql: "SELECT max(place) FROM items") ?? -1
        guard last >= count, last - count > count + emptyPlacesMax else { return }
        // As many places below `count` are empty as records have larger ones.
        let moving = try Int64.fetchAll(
            database, sql: "SELECT place FROM items WHERE place >= ? ORDER BY place", arguments: [count])
        var used = try Int64.fetchAll(
            database, sql: "SELECT place FROM items WHERE place < ? ORDER BY place DESC", arguments: [count])
        var free: Int64 = 0
        for place in moving {
            while used.last == free {
                used.removeLast()
                free += 1
            }
            try database.cachedStatement(sql: "UPDATE items SET place = ? WHERE place = ?")
                .execute(arguments: [free, place])
            free += 1
        }
    }
}
