import GRDB

/// The journal's tables. A migration that was released must not be changed, because journals that have already run it
/// would differ from new ones.
enum JournalSchema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { database in try database.execute(sql: schema1) }
        migrator.registerMigration("2") { database in try database.execute(sql: schema2) }
        migrator.registerMigration("3") { database in try database.execute(sql: schema3) }
        migrator.registerMigration("4") { database in try database.execute(sql: schema4) }
        migrator.registerMigration("5") { database in try database.execute(sql: schema5) }
        migrator.registerMigration("6") { database in try database.execute(sql: schema6) }
        migrator.registerMigration("7") { database in try database.execute(sql: schema7) }
        migrator.registerMigration("8") { database in try database.execute(sql: schema8) }
        return migrator
    }

    private static let schema1 = """
        CREATE TABLE uploads (
            id INTEGER PRIMARY KEY, path TEXT NOT NULL, key TEXT NOT NULL UNIQUE, policy INTEGER NOT NULL,
            is_dropping INTEGER NOT NULL DEFAULT 0, session BLOB NOT NULL, token BLOB NOT NULL,
            part_bytes INTEGER NOT NULL, device INTEGER NOT NULL, inode INTEGER NOT NULL, size INTEGER NOT NULL,
            modified_seconds INTEGER NOT NULL, modified_nanoseconds INTEGER NOT NULL,
            changed_seconds INTEGER NOT NULL, changed_nanoseconds INTEGER NOT NULL,
            losses INTEGER NOT NULL, created INTEGER NOT NULL, trouble TEXT NOT NULL DEFAULT ''
        );
        CREATE TABLE parts (
            upload INTEGER NOT NULL REFERENCES uploads(id) ON DELETE CASCADE, number INTEGER NOT NULL,
            size INTEGER NOT NULL, digest BLOB NOT NULL, etag TEXT NOT NULL, PRIMARY KEY (upload, number)
        ) WITHOUT ROWID;
        CREATE TABLE receipts (
            key TEXT PRIMARY KEY, path TEXT NOT NULL, size INTEGER NOT NULL, part_bytes INTEGER NOT NULL,
            root BLOB, evidence TEXT NOT NULL, etag TEXT NOT NULL, version TEXT NOT NULL, finished INTEGER NOT NULL
        ) WITHOUT ROWID;
        """

    /// Schema 2 adds:
    /// - Table `numbers`: one row with the highest upload number ever used.
    /// - Table `withdrawn`: versions of files that may still appear in the store although their upload was abandoned.
    ///   `since` is the time when the upload was abandoned, in milliseconds since the boot `boot`.
    /// - Columns of `receipts`: the session that wrote the object, empty if unknown; and the stamp that the file had
    ///   when it was read, NULL in rows from schema 1.
    /// - Columns of `uploads`: the session's write condition in its wire encoding. Rows from schema 1 get a condition
    ///   that never replaces an object.
    private static let schema2 = """
        CREATE TABLE numbers (id INTEGER PRIMARY KEY, last INTEGER NOT NULL);
        INSERT INTO numbers SELECT 0, coalesce(max(id), 0) FROM uploads;
        CREATE TABLE withdrawn (
            key TEXT PRIMARY KEY, boot TEXT NOT NULL, since INTEGER NOT NULL, device INTEGER NOT NULL,
            inode INTEGER NOT NULL, size INTEGER NOT NULL, modified_seconds INTEGER NOT NULL,
            modified_nanoseconds INTEGER NOT NULL, changed_seconds INTEGER NOT NULL,
            changed_nanoseconds INTEGER NOT NULL
        ) WITHOUT ROWID;
        ALTER TABLE uploads ADD COLUMN condition INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE uploads ADD COLUMN condition_session BLOB NOT NULL DEFAULT x'';
        ALTER TABLE receipts ADD COLUMN session BLOB NOT NULL DEFAULT x'';
        ALTER TABLE receipts ADD COLUMN device INTEGER;
        ALTER TABLE receipts ADD COLUMN inode INTEGER;
        ALTER TABLE receipts ADD COLUMN file_size INTEGER;
        ALTER TABLE receipts ADD COLUMN modified_seconds INTEGER;
        ALTER TABLE receipts ADD COLUMN modified_nanoseconds INTEGER;
        ALTER TABLE receipts ADD COLUMN changed_seconds INTEGER;
        ALTER TABLE receipts ADD COLUMN changed_nanoseconds INTEGER;
        """

    /// Schema 3 adds:
    /// - Table `signed_receipts`: receipts that gateways signed (`StoredReceipt`); the agent's own proofs are in
    ///   `receipts`. `key` is the key in the statement, including the prefix. The columns `key`, `store`, `session` and
    ///   `made` repeat fields of the statement for queries. `certificates` has one certificate a line, in DER and
    ///   base64.
    private static let schema3 = """
        CREATE TABLE signed_receipts (
            id INTEGER PRIMARY KEY, key TEXT NOT NULL, store BLOB NOT NULL, session BLOB NOT NULL,
            made INTEGER NOT NULL, statement BLOB NOT NULL, signature BLOB NOT NULL, public_key BLOB NOT NULL,
            certificates TEXT NOT NULL, UNIQUE (key, store, session)
        );
        """

    /// Schema 4 adds:
    /// - Columns of `uploads`: the session's content type, and the session's user metadata as one line `name=value` for
    ///   each pair.
    private static let schema4 = """
        ALTER TABLE uploads ADD COLUMN content_type TEXT NOT NULL DEFAULT '';
        ALTER TABLE uploads ADD COLUMN metadata TEXT NOT NULL DEFAULT '';
        """

    /// Schema 5 adds:
    /// - Table `site`: one row with the device's store and prefix, as the last gateway reported them.
    /// - Columns of `receipts`: the object's store and the object's full key there, both empty if unknown.
    ///   `stamp_counts` is whether the file's stamp differs from the stamp of every later version; it is 0 in rows of
    ///   older schemas, where this is unknown.
    /// - Columns of `uploads`: whether the user wants a signed receipt.
    private static let schema5 = """
        CREATE TABLE site (id INTEGER PRIMARY KEY, store BLOB NOT NULL, device TEXT NOT NULL, prefix TEXT NOT NULL);
        ALTER TABLE receipts ADD COLUMN store BLOB NOT NULL DEFAULT x'';
        ALTER TABLE receipts ADD COLUMN whole_key TEXT NOT NULL DEFAULT '';
        ALTER TABLE receipts ADD COLUMN stamp_counts INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE uploads ADD COLUMN wants_receipt INTEGER NOT NULL DEFAULT 0;
        """

    /// Schema 6 adds:
    /// - Columns of `uploads`: the path that the user named. It is `path` itself, or the directory below which the walk
    ///   found the file. It is empty in rows of older schemas, where it is unknown.
    private static let schema6 = "ALTER TABLE uploads ADD COLUMN root TEXT NOT NULL DEFAULT ''"

    /// Schema 7 adds:
    /// - Columns of `uploads`: how many attempts in a row sent data and brought no part into the store. It is 0 in rows
    ///   of older schemas, which did not count.
    private static let schema7 = "ALTER TABLE uploads ADD COLUMN fruitless INTEGER NOT NULL DEFAULT 0"

    /// Schema 8 adds:
    /// - Columns of `uploads`: the part size that the user has chosen. It is 0 if the user has chosen none, and in rows
    ///   of older schemas, where it is unknown.
    private static let schema8 = "ALTER TABLE uploads ADD COLUMN part_bytes_wish INTEGER NOT NULL DEFAULT 0"

    /// Expected type of each column, by the names that SQLite's `typeof` returns.
    private static let kinds = [
        "uploads": [
            "integer": [
                "id", "policy", "is_dropping", "part_bytes", "device", "inode", "size", "modified_seconds",
                "modified_nanoseconds", "changed_seconds", "changed_nanoseconds", "losses", "created", "condition",
                "wants_receipt", "fruitless", "part_bytes_wish",
            ], "text": ["path", "root", "key", "trouble", "content_type", "metadata"],
            "blob": ["session", "token", "condition_session"],
        ],
        "parts": ["integer": ["upload", "number", "size"], "text": ["etag"], "blob": ["digest"]],
        "numbers": ["integer": ["id", "last"]],
        "withdrawn": [
            "integer": [
                "since", "device", "inode", "size", "modified_seconds", "modified_nanoseconds", "changed_seconds",
                "changed_nanoseconds",
            ], "text": ["key", "boot"],
        ],
        "receipts": ["integer": ["size", "part_bytes", "finished"], "text": ["key", "path", "evidence"]],
        "site": ["integer": ["id"], "text": ["device", "prefix"], "blob": ["store"]],
        "signed_receipts": [
            "integer": ["made"], "text": ["key", "certificates"],
            "blob": ["store", "session", "statement", "signature", "public_key"],
        ],
    ]

    /// Throws if a column contains a value of an unexpected type. SQLite accepts any type in any column, so its own
    /// integrity check does not find such values if another program wrote them.
    static func expectReadable(_ database: Database) throws {
        for (table, kinds) in kinds {
            let tests = kinds.flatMap { kind, columns in columns.map { "typeof(\($0)) = '\(kind)'" } }
            let strange = "SELECT EXISTS (SELECT 1 FROM \(table) WHERE NOT (\(tests.joined(separator: " AND "))))"
            guard try Bool.fetchOne(database, sql: strange) == false else {
                throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "values of another kind in \(table)")
            }
        }
    }
}
