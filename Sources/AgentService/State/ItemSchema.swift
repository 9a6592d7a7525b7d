import GRDB

/// The tables of the journal of items. A migration that was released must not be changed, because journals that have
/// already run it would differ from new ones.
///
/// - `state`: one row. `served` is the service time in nanoseconds, written at the moment `milliseconds` of the boot
///   `boot`. `boot_number` counts the boots in which the journal was written.
/// - `folders`: names of folders. `is_parked` says that the settings do not name the folder, so that its items are in
///   `parked`.
/// - `items`: the records of items, by their place. `boot` is the boot in which the record was written: device numbers
///   hold only within one boot. `stored` and `course` have the numbers of `ItemRow`. The columns from `since` to
///   `version` are the proof; they are NULL if there is none. `proof_key` and `proof_stamp` are NULL if they equal
///   `key` and `stamp`.
/// - `parked`: the records of items whose folder the settings do not name. They have no places, so that the places stay
///   free for other items.
/// - `removed`: for each key of a file that the agent has deleted or moved, the first 16 bytes of its SHA-256.
/// - `losses`: unproven files that the agent has deleted because the disk was full. `place` and `generation` name the
///   item while the deletion is under way, and are NULL afterwards. `made` is the device's time in milliseconds since
///   1970, for people.
enum ItemSchema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { database in try database.execute(sql: schema1) }
        return migrator
    }

    private static let schema1 = """
        CREATE TABLE state (
            id INTEGER PRIMARY KEY, served INTEGER NOT NULL, boot TEXT NOT NULL, milliseconds INTEGER NOT NULL,
            boot_number INTEGER NOT NULL
        );
        INSERT INTO state VALUES (0, 0, '', 0, 0);
        CREATE TABLE folders (
            number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, is_parked INTEGER NOT NULL DEFAULT 0,
            is_paused INTEGER NOT NULL DEFAULT 0
        );
        CREATE TABLE items (place INTEGER PRIMARY KEY, \(recordColumns));
        CREATE TABLE parked (number INTEGER PRIMARY KEY, \(recordColumns));
        CREATE INDEX parked_keys ON parked (key);
        CREATE TABLE removed (hash BLOB PRIMARY KEY) WITHOUT ROWID;
        CREATE TABLE losses (
            number INTEGER PRIMARY KEY, place INTEGER, generation INTEGER, folder TEXT, path BLOB NOT NULL,
            size INTEGER NOT NULL, made INTEGER NOT NULL, is_certain INTEGER NOT NULL DEFAULT 0
        );
        CREATE INDEX losses_places ON losses (place) WHERE place IS NOT NULL;
        """

    private static let recordColumns = """
        generation INTEGER NOT NULL, folder INTEGER NOT NULL, boot INTEGER NOT NULL, path BLOB NOT NULL,
        stamp BLOB NOT NULL, head_bytes INTEGER NOT NULL, head INTEGER NOT NULL, key BLOB NOT NULL,
        key_number INTEGER NOT NULL, course INTEGER NOT NULL, detail BLOB NOT NULL, stored INTEGER NOT NULL,
        since INTEGER, store BLOB, proof_key BLOB, session BLOB, proof_stamp BLOB, stamp_counts INTEGER,
        part_bytes INTEGER, root BLOB, etag TEXT, version TEXT
        """

    /// What SQLite checks of each table. `typeof` of a NULL is 'null'.
    private static let checks = [
        "state": [
            "typeof(served) = 'integer'", "served >= 0", "typeof(boot) = 'text'", "typeof(milliseconds) = 'integer'",
            "typeof(boot_number) = 'integer'",
        ],
        "folders": ["typeof(name) = 'text'", "typeof(is_parked) = 'integer'", "typeof(is_paused) = 'integer'"],
        "items": recordChecks + ["place BETWEEN 0 AND 4294967294"],
        "parked": recordChecks,
        "losses": [
            "typeof(path) = 'blob'", "typeof(size) = 'integer'", "typeof(made) = 'integer'",
            "typeof(folder) IN ('text', 'null')", "typeof(is_certain) = 'integer'",
        ],
    ]

    private static let recordChecks =
        ["generation", "folder", "boot", "head_bytes", "head", "key_number", "course", "stored"]
        .map { "typeof(\($0)) = 'integer'" } + ["path", "stamp", "key", "detail"].map { "typeof(\($0)) = 'blob'" }
        + ["since", "stamp_counts", "part_bytes"].map { "typeof(\($0)) IN ('integer', 'null')" }
        + ["store", "proof_key", "session", "proof_stamp", "root"].map { "typeof(\($0)) IN ('blob', 'null')" }
        + ["etag", "version"].map { "typeof(\($0)) IN ('text', 'null')" }

    /// Throws if the file is damaged, or if a column contains a value of an unexpected type. SQLite accepts any type in
    /// any column, so its own check does not find values that another program wrote.
    static func expectIntact(_ database: Database) throws {
        let verdict = try String.fetchOne(database, sql: "PRAGMA quick_check(1)")
        guard verdict == "ok" else { throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: verdict) }
        for (table, checks) in checks {
            let strange = "SELECT EXISTS (SELECT 1 FROM \(table) WHERE NOT (\(checks.joined(separator: " AND "))))"
            guard try Bool.fetchOne(database, sql: strange) == false else {
                throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "values of another kind in \(table)")
            }
        }
    }
}
