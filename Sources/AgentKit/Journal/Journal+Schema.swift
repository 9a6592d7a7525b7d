import GRDB

// The journal's tables. A migration that has been released is never changed.

extension Journal {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { database in try database.execute(sql: schema1) }
        migrator.registerMigration("2") { database in try database.execute(sql: schema2) }
        migrator.registerMigration("3") { database in try database.execute(sql: schema3) }
        migrator.registerMigration("4") { database in try database.execute(sql: schema4) }
        migrator.registerMigration("5") { database in try database.execute(sql: schema5) }
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

    /// - numbers: one row, the highest number that an upload has had.
    /// - withdrawn: versions of one-part files that were given up and may still appear in the store; `since` counts
    ///   milliseconds from the start `boot` of the machine.
    /// - receipts: the session that made the object, empty where it is not known, and the stamp of the file as it was
    ///   read; receipts of before have none.
    /// - uploads: the write condition of the session, as it is on the wire. One that was begun before there were
    ///   conditions replaces nothing.
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

    /// - signed_receipts: what gateways have signed (`StoredReceipt`); `receipts` has the agent's own proofs. The key
    ///   is the statement's, prefix included. Key, store, session and time stand in the statement, too: here they are
    ///   found without reading it. Certificates are base64 of DER, one a line.
    private static let schema3 = """
        CREATE TABLE signed_receipts (
            id INTEGER PRIMARY KEY, key TEXT NOT NULL, store BLOB NOT NULL, session BLOB NOT NULL,
            made INTEGER NOT NULL, statement BLOB NOT NULL, signature BLOB NOT NULL, public_key BLOB NOT NULL,
            certificates TEXT NOT NULL, UNIQUE (key, store, session)
        );
        """

    /// - uploads: the session's content type, and its user metadata with `=` behind each name and a line feed behind
    ///   each value.
    private static let schema4 = """
        ALTER TABLE uploads ADD COLUMN content_type TEXT NOT NULL DEFAULT '';
        ALTER TABLE uploads ADD COLUMN metadata TEXT NOT NULL DEFAULT '';
        """

    /// - site: one row, where this device's objects lie, as a gateway said last.
    /// - receipts: the store in which the object lies and its whole key there, empty where that was not written down;
    ///   and whether the file's stamp tells it from every later version. Of proofs of before, nobody knows it.
    /// - uploads: whether the user wants a signed receipt.
    private static let schema5 = """
        CREATE TABLE site (id INTEGER PRIMARY KEY, store BLOB NOT NULL, device TEXT NOT NULL, prefix TEXT NOT NULL);
        ALTER TABLE receipts ADD COLUMN store BLOB NOT NULL DEFAULT x'';
        ALTER TABLE receipts ADD COLUMN whole_key TEXT NOT NULL DEFAULT '';
        ALTER TABLE receipts ADD COLUMN stamp_counts INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE uploads ADD COLUMN wants_receipt INTEGER NOT NULL DEFAULT 0;
        """

    /// What a table's columns hold, by the names that SQLite has for it.
    private static let kinds = [
        "uploads": [
            "integer": [
                "id", "policy", "is_dropping", "part_bytes", "device", "inode", "size", "modified_seconds",
                "modified_nanoseconds", "changed_seconds", "changed_nanoseconds", "losses", "created", "condition",
                "wants_receipt",
            ], "text": ["path", "key", "trouble", "content_type", "metadata"],
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

    /// SQLite keeps any kind of value in any column. A file that something else has changed has them, and passes its
    /// check of itself.
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
