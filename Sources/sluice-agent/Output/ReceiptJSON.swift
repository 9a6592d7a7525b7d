import Cryptography
import Foundation
import TransferCommon
import WireProtocol

/// Formats receipts as JSON, one object per line.
enum ReceiptJSON {
    /// A receipt as a JSON object.
    ///
    /// - Parameter isVerified: result of the verification; `nil` if the receipt was not verified.
    static func line(of statement: ReceiptStatement, isVerified: Bool? = nil) -> String {
        var fields = fields(of: statement)
        if let isVerified { fields["verified"] = isVerified }
        return line(fields)
    }

    static func line(unreadable reason: String) -> String { line(["reason": reason]) }

    /// A refused receipt as a JSON object, with its fields if they can be read.
    ///
    /// - Parameter reason: why the receipt is refused.
    static func line(refused receipt: StoredReceipt, _ reason: String) -> String {
        var fields: [String: Any] = [:]
        do throws(ReceiptStatementError) {
            fields = Self.fields(of: try receipt.content())
        } catch {
            // The statement is unreadable; `reason` says so.
        }
        fields["verified"] = false
        fields["reason"] = reason
        return line(fields)
    }

    private static func fields(of statement: ReceiptStatement) -> [String: Any] {
        var fields: [String: Any] = [
            "key": statement.key, "size": statement.size, "etag": statement.etag, "version": statement.version,
            "device": statement.device, "session": "\(statement.session)", "store": "\(statement.storeIdentity)",
            "signed_by": "\(Fingerprint(statement.siteKey))", "time": statement.timeText,
            "time_milliseconds": statement.timeMilliseconds,
        ]
        switch statement.evidence {
        case .root(let digest):
            fields["root"] = "\(digest)"
            fields["part_size"] = statement.partBytes
        case .wholeDigest(let digest):
            fields["sha256"] = "\(digest)"
        case .compositeMD5, .none:
            break  // A parsed statement never has these values.
        }
        return fields
    }

    private static func line(_ fields: [String: Any]) -> String {
        do {
            let data = try JSONSerialization.data(
                withJSONObject: fields, options: [.sortedKeys, .withoutEscapingSlashes])
            return String(decoding: data, as: UTF8.self)
        } catch {
            return "{\"reason\":\"defect\"}"
        }
    }
}
