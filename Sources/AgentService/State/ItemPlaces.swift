import FolderCore
import GRDB

/// Which records belong to folders of the settings, and which places they have.
///
/// A record whose folder the settings do not name is parked: it has no place. So all places belong to records that the
/// machine gets, and the machine can give any other place to a new item.
enum ItemPlaces {
    /// Parks the records of folders that are not named, and gives places to those of folders that are named again.
    ///
    /// - Parameter names: the names of the folders; their positions are the ids.
    /// - Returns: the ids of the folders by their numbers in the journal, and whether there are parked records.
    static func arrange(_ names: [String], _ database: Database) throws -> (
        folders: [Int64: FolderID], hasParked: Bool
    ) {
        let folders = try number(names, database)
        try park(except: folders, database)
        for folder in folders.keys { try unpark(folder, database) }
        try closeGaps(database)
        return (folders, try Bool.fetchOne(database, sql: "SELECT EXISTS (SELECT 1 FROM parked)") ?? false)
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
    private static let emptyPlacesMax: Int64 = 10_000

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
