package import AgentKit
import Cryptography
import FoundationEssentials
package import Logging
import SecureChannel
import SystemSupport
import TransferCommon
import WireProtocol

/// What people do with the receipts that an agent's journal holds: look, take them elsewhere, and verify them.
package struct AgentReceipts: Sendable {
    private let home: AgentHome
    private let logger: Logger

    /// - Parameter home: not necessarily locked: reading beside a running agent does no harm.
    package init(home: AgentHome, logger: Logger) {
        self.home = home
        self.logger = logger
    }

    /// Tells of each receipt in one line: when it was made, the object's size, its key, and its content.
    ///
    /// - Parameters:
    ///   - key: the whole key, prefix included; `nil` for all.
    ///   - asJSON: one JSON object a line, with all that the receipt says.
    /// - Returns: how many there are.
    @discardableResult
    package func list(key: String?, asJSON: Bool = false, _ print: (String) -> Void) throws -> Int {
        try forEach(key) { receipt in
            do throws(ReceiptStatementError) {
                let statement = try receipt.content()
                print(asJSON ? ReceiptJSON.line(of: statement) : statement.line)
            } catch {
                print(asJSON ? ReceiptJSON.line(unreadable: "\(error)") : "unreadable: \(error)")
            }
        }
    }

    /// Writes each receipt into a file of its own, which anybody can verify without this agent. A receipt has the same
    /// name each time; a file of that name is replaced.
    ///
    /// - Parameter folder: made where it is missing.
    /// - Returns: how many were written.
    package func export(key: String?, to folder: String) throws -> Int {
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw AgentHomeError(.unusable, "cannot make the folder \(folder): \(error)")
        }
        return try forEach(key) { receipt in
            let path = "\(folder)/\(try Self.fileName(of: receipt))"
            do {
                try AtomicFile.write(
                    Array(ReceiptFile.text(of: [receipt]).utf8), to: path, mode: .ownerWritesAllRead)
            } catch {
                throw AgentHomeError(.unusable, "cannot write a receipt into \(folder): \(error)")
            }
        }
    }

    /// Verifies each receipt and compares its key with those that this home trusts: the pinned ones, or those with a
    /// certificate of the home's authority for the gateway.
    ///
    /// - Parameters:
    ///   - asJSON: one JSON object a line, with all that the receipt says.
    ///   - print: told a line for each receipt.
    /// - Returns: how many there are, and how many of them are not right.
    package func verify(
        key: String?, asJSON: Bool = false, _ print: (String) -> Void
    ) throws -> (count: Int, refused: Int) {
        let trust = try receiptTrust()
        var refused = 0
        let count = try forEach(key) { receipt in
            do throws(ReceiptError) {
                let verified = try receipt.verified(trusting: trust)
                print(
                    asJSON
                        ? ReceiptJSON.line(of: verified.statement, isVerified: true)
                        : "verified  \(verified.statement.line)")
            } catch {
                refused += 1
                print(
                    asJSON
                        ? ReceiptJSON.line(refused: receipt, "\(error)")
                        : "refused   \(Self.name(of: receipt)): \(error)")
            }
        }
        return (count, refused)
    }

    private func receiptTrust() throws -> ReceiptTrust {
        switch try home.gatewayTrust() {
        case .pinnedKeys(let pins): .keys(pins)
        case .authority(let authority, let gatewayName): .authority(authority, gatewayName: gatewayName)
        }
    }

    private func forEach(_ key: String?, _ body: (StoredReceipt) throws -> Void) throws -> Int {
        var count = 0
        try AgentJournal.open(home, logger: logger).forEachReceipt(ofKey: key) { receipt in
            count += 1
            try body(receipt)
        }
        return count
    }

    /// The object's key, where the statement can be read.
    private static func name(of receipt: StoredReceipt) -> String {
        do throws(ReceiptStatementError) {
            return try receipt.content().key.withVisibleControls
        } catch {
            return "a receipt"
        }
    }

    /// Ends with digits of the statement's digest, so that no two receipts have one name. Before them stands what of
    /// the key's last segment any file system can hold.
    private static func fileName(of receipt: StoredReceipt) throws -> String {
        let digits = try SHA256Digest.of(receipt.statement).description.prefix(16)
        let segment = name(of: receipt).lastPathSegment.utf8.prefix(64).map { isPlain($0) ? $0 : UInt8(ascii: "_") }
        return "\(String(decoding: segment, as: UTF8.self))-\(digits)\(ReceiptFile.nameExtension)"
    }

    /// Letters, digits, full stop and hyphen; a name that begins with a full stop still has its digits behind it.
    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
