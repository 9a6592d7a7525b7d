package import AgentKit
import CommandSupport
import Cryptography
import FoundationEssentials
package import Logging
import SystemSupport
import TransferCommon
import WireProtocol

/// Lists, exports and verifies the receipts in an agent's journal.
package struct AgentReceipts: Sendable {
    private let home: AgentHome
    private let logger: Logger

    /// - Parameter home: the home. The caller needs no lock, because the journal can be read while an agent writes it.
    package init(home: AgentHome, logger: Logger) {
        self.home = home
        self.logger = logger
    }

    /// Prints one line for each receipt: time of signing, size of the object, key and content.
    ///
    /// - Parameters:
    ///   - key: full key, including the prefix; `nil` for all receipts.
    ///   - asJSON: whether each line is a JSON object with all fields of the receipt.
    ///   - width: columns of the terminal, to align the receipts; `nil` if the output is none.
    /// - Returns: the number of receipts, and how many of them cannot be read.
    package func list(
        key: String?, asJSON: Bool = false, width: Int? = nil, _ print: (String) -> Void
    ) throws -> (count: Int, unreadable: Int) {
        var unreadable = 0
        var table = TablePrinter([.left, .right, .name], width: width)
        let count = try forEach(key) { receipt in
            do throws(ReceiptStatementError) {
                let statement = try receipt.content()
                if asJSON { print(JSONObject(statement).line) } else { table.add(Self.row(statement), print) }
            } catch {
                unreadable += 1
                table.finish(print)
                let reason = "\(error)".asBeginningOfSentence
                print(asJSON ? JSONObject(unreadable: reason).line : "unreadable: \(reason)")
            }
        }
        table.finish(print)
        return (count, unreadable)
    }

    private static func row(_ statement: ReceiptStatement) -> TextTable.Row {
        let time = statement.timeText
        let date = String(time.prefix(10))
        return TextTable.Row(
            [.init(time, date, ""), .init("\(statement.size) B"), .init(statement.key)],
            notes: [.words(statement.contentText)])
    }

    /// Writes each receipt to a file of its own. The files can be verified without this agent. The name of a file
    /// depends only on its receipt, and an existing file with this name is replaced.
    ///
    /// - Parameters:
    ///   - folder: created if it does not exist.
    ///   - observe: called with the path of each file, and with the key of the object if the receipt can be read.
    /// - Returns: the number of files written.
    package func export(
        key: String?, to folder: String, _ observe: (_ path: String, _ key: String?) -> Void = { _, _ in }
    ) throws -> Int {
        try makeFolder(folder)
        return try forEach(key) { receipt in
            let path = "\(folder)/\(try Self.fileName(of: receipt))"
            do {
                try AtomicFile.write(
                    Array(ReceiptFile.text(of: [receipt]).utf8), to: path, mode: .ownerWritesAllRead)
            } catch {
                throw AgentHomeError(
                    .unusable, "cannot write a receipt into \(folder): \(error.readable); name another folder with --to"
                )
            }
            observe(path, Self.key(of: receipt))
        }
    }

    private func makeFolder(_ folder: String) throws(AgentHomeError) {
        var isFolder = false
        if FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), !isFolder {
            throw AgentHomeError(.unusable, "\(folder) exists and is no folder; name another one with --to")
        }
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            // Foundation's text names its own types, so the system's words for the usual reasons take its place.
            let code = (error as? CocoaError)?.code
            let reason =
                switch code {
                case .fileWriteNoPermission: "this user may not write there"
                case .fileWriteOutOfSpace: "the disk is full"
                case .fileWriteVolumeReadOnly: "the file system is read-only"
                default: "a part of the path is no folder, or cannot be entered"
                }
            throw AgentHomeError(.unusable, "cannot make the folder \(folder): \(reason); name another one with --to")
        }
    }

    /// Verifies each receipt: whether its signature is right, and whether this home trusts the signing key. The home
    /// trusts its pinned keys, or keys with a certificate that its authority has signed for the gateway.
    ///
    /// - Parameters:
    ///   - asJSON: whether each line is a JSON object with all fields of the receipt.
    ///   - print: called with one line for each receipt.
    /// - Returns: the number of receipts, and the number of refused ones.
    package func verify(
        key: String?, asJSON: Bool = false, _ print: (String) -> Void
    ) throws -> (count: Int, refused: Int) {
        let trust = try home.receiptTrust()
        var refused = 0
        let count = try forEach(key) { receipt in
            do throws(ReceiptError) {
                let verified = try receipt.verified(trusting: trust)
                print(
                    asJSON
                        ? JSONObject(verified.statement, isVerified: true).line
                        : "verified  \(verified.statement.line)")
            } catch {
                refused += 1
                print(
                    asJSON
                        ? JSONObject(refused: receipt, reason: "\(error)").line
                        : "refused   \(Self.name(of: receipt)): \(error)")
            }
        }
        return (count, refused)
    }

    /// Removes receipts and proofs from the journal that are older than `age`.
    ///
    /// - Returns: how many.
    package func prune(olderThan age: Duration) throws -> AgentJournal.Pruned {
        try AgentJournal.prune(home, olderThan: age, logger: logger)
    }

    private func forEach(_ key: String?, _ body: (StoredReceipt) throws -> Void) throws -> Int {
        var count = 0
        try AgentJournal.open(home, logger: logger).signedReceipts.forEachReceipt(ofKey: key) { receipt in
            count += 1
            try body(receipt)
        }
        return count
    }

    private static func name(of receipt: StoredReceipt) -> String {
        key(of: receipt)?.withVisibleControls ?? "a receipt"
    }

    /// The key that a receipt is about; `nil` if the receipt cannot be read.
    private static func key(of receipt: StoredReceipt) -> String? {
        do throws(ReceiptStatementError) {
            return try receipt.content().key
        } catch {
            return nil
        }
    }

    /// File name of a receipt: the key's last segment, restricted to characters that every file system accepts, and
    /// digits of the statement's digest. Because of the digits, different receipts have different names.
    private static func fileName(of receipt: StoredReceipt) throws -> String {
        let digits = try SHA256Digest.of(receipt.statement).description.prefix(16)
        let segment = name(of: receipt).lastPathSegment.utf8.prefix(64).map { isPlain($0) ? $0 : UInt8(ascii: "_") }
        return "\(String(decoding: segment, as: UTF8.self))-\(digits)\(ReceiptFile.nameExtension)"
    }

    /// A full stop is safe in a file name here: every name has digits, so none consists of full stops only.
    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
