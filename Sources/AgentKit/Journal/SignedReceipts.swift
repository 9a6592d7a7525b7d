import Foundation
import GRDB
import TransferCommon
import TransferCore
package import WireProtocol

/// The journal's table of receipts that gateways have signed. If a session's object has several receipts, the table
/// keeps only the newest one, which confirms the same content at a later time. The journal does not verify receipts.
package struct SignedReceipts: Sendable {
    let queue: DatabaseQueue
    let reader: DatabaseQueue

    /// Stores receipts in one transaction.
    ///
    /// - Throws: `ReceiptStatementError` if a receipt's statement cannot be parsed. Then no receipt is stored.
    package func keep(_ receipts: [StoredReceipt]) throws {
        try queue.write { database in
            for receipt in receipts { try Self.keep(receipt, database) }
        }
    }

    /// Stores a receipt within a transaction, so that it becomes durable together with the proof of the same object.
    static func keep(_ receipt: StoredReceipt, _ database: Database) throws {
        let statement = try receipt.content()
        let certificates = receipt.certificates.map { Data($0).base64EncodedString() }.joined(separator: "\n")
        try database.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO signed_receipts (key, store, session, made, statement, signature, public_key,
                    certificates)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            statement.key, Data(statement.storeIdentity.bytes), Data(statement.session.bytes),
            statement.timeMilliseconds, Data(receipt.statement), Data(receipt.signature), Data(receipt.publicKey),
            certificates,
        ])
    }

    /// Removes receipts that gateways signed before this time.
    ///
    /// - Parameter milliseconds: time since 1970.
    /// - Returns: the number of removed receipts.
    static func remove(before milliseconds: Int64, _ database: Database) throws -> Int {
        try database.execute(sql: "DELETE FROM signed_receipts WHERE made < ?", arguments: [milliseconds])
        return database.changesCount
    }

    /// The receipts of a key, oldest first.
    ///
    /// - Parameter key: full key, including the prefix.
    package func list(ofKey key: String) throws -> [StoredReceipt] {
        var receipts: [StoredReceipt] = []
        try forEachReceipt(ofKey: key) { receipts.append($0) }
        return receipts
    }

    private static let columns = "statement, signature, public_key, certificates"

    /// Calls `body` with each receipt, ordered by key and then oldest first. Reads the rows one by one, so memory never
    /// holds all receipts.
    ///
    /// - Parameter key: full key, including the prefix; `nil` for the receipts of all keys.
    package func forEachReceipt(ofKey key: String? = nil, _ body: (StoredReceipt) throws -> Void) throws {
        try reader.read { database in
            let rows = try GRDB.Row.fetchCursor(
                database,
                Journal.request(
                    "SELECT \(Self.columns) FROM signed_receipts WHERE ?1 IS NULL OR key = ?1 ORDER BY key, made, id",
                    [key], for: GRDB.Row.self))
            while let row = try rows.next() { try body(Self.receipt(row)) }
        }
    }

    /// The newest receipt of the object of a proof; `nil` if there is none.
    static func newest(of proof: StoredProof, _ database: Database) throws -> StoredReceipt? {
        guard let key = proof.wholeKey, let store = proof.store else { return nil }
        let sql = """
            SELECT \(columns) FROM signed_receipts WHERE key = ? AND store = ?
                ORDER BY made DESC, id DESC LIMIT 1
            """
        let row = try GRDB.Row.fetchOne(
            database, Journal.request(sql, [key, Data(store.bytes)], for: GRDB.Row.self))
        guard let receipt = try row.map(receipt) else { return nil }
        do {
            let statement = try receipt.content()
            return statement.size == proof.size && statement.etag.hasSameBytes(as: proof.etag) ? receipt : nil
        } catch {
            // Another program has written this row, so the receipt counts as missing.
            return nil
        }
    }

    private static func receipt(_ row: GRDB.Row) throws -> StoredReceipt {
        let statement: Data = try row.value("statement")
        let signature: Data = try row.value("signature")
        let publicKey: Data = try row.value("public_key")
        let text: String = try row.value("certificates")
        let certificates = try text.split(separator: "\n").map { line in
            guard let bytes = Data(base64Encoded: String(line)) else {
                throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "certificates: not base64")
            }
            return Array(bytes)
        }
        return StoredReceipt(
            statement: Array(statement), signature: Array(signature), publicKey: Array(publicKey),
            certificates: certificates)
    }
}
