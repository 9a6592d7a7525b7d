import Cryptography
import TransferCommon
package import WireProtocol

/// A gateway's signed receipt. Commands of both programs print it.
package enum ReceiptFields: String, JSONFields {
    case key, size, time
    case timeMilliseconds = "time_milliseconds"
    case root, sha256
    case partSize = "part_size"
    case etag, version, device, session, store
    case signedBy = "signed_by"
    case verified, reason

    package static let event = "receipt"
    package static let meaning = "A receipt. If it cannot be read, the object has only `reason`."

    package var declaration: JSONField {
        let readable = "the receipt can be read"
        return switch self {
        case .key: .only(readable, .string, "the object's key in the store")
        case .size: .only(readable, .integer, "bytes of the object")
        case .time: .only(readable, .time, "when the gateway signed, by its clock")
        case .timeMilliseconds: .only(readable, .integer, "the same, in milliseconds since 1970 UTC")
        case .root: .only("the digest is a root digest", .string, "the root digest of the content")
        case .sha256: .only("the digest is one of the whole object", .string, "SHA-256 of the content")
        case .partSize: .only("there is `root`", .integer, "bytes of a part, on which `root` depends")
        case .etag: .only(readable, .string, "the ETag of the store; may be empty")
        case .version: .only(readable, .string, "the store's version of the object; may be empty")
        case .device: .only(readable, .string, "the device's name at the gateway")
        case .session: .only(readable, .string, "the session that wrote the object; zeros if that is not known")
        case .store: .only(readable, .string, "the identity of the store")
        case .signedBy: .only(readable, .string, "the fingerprint of the key that signed")
        case .verified: .only("the command verifies receipts", .boolean, "whether the receipt is valid")
        case .reason: .only("the receipt is refused or cannot be read", .string, "why")
        }
    }
}

extension JSONObject<ReceiptFields> {
    /// All that a receipt states.
    package init(_ statement: ReceiptStatement) {
        self.init([
            .key: .string(statement.key), .size: .count(statement.size), .etag: .string(statement.etag),
            .version: .string(statement.version), .device: .string(statement.device),
            .session: .string("\(statement.session)"), .store: .string("\(statement.storeIdentity)"),
            .signedBy: .string("\(Fingerprint(statement.siteKey))"),
            .time: .time(milliseconds: statement.timeMilliseconds),
            .timeMilliseconds: .count(statement.timeMilliseconds),
        ])
        switch statement.evidence {
        case .root(let digest):
            self[.root] = .string("\(digest)")
            self[.partSize] = .count(statement.partBytes)
        case .wholeDigest(let digest):
            self[.sha256] = .string("\(digest)")
        case .compositeMD5, .none:
            break  // A parsed statement never has these values.
        }
    }

    package init(_ statement: ReceiptStatement, isVerified: Bool) {
        self.init(statement)
        self[.verified] = .boolean(isVerified)
    }

    package init(unreadable reason: String) {
        self.init([.reason: .string(reason)])
    }

    /// A refused receipt, with what it states if that can be read.
    package init(refused receipt: StoredReceipt, reason: String) {
        self.init()
        do throws(ReceiptStatementError) {
            self.init(try receipt.content())
        } catch {
            // The statement is unreadable; `reason` says so.
        }
        self[.verified] = .boolean(false)
        self[.reason] = .string(reason)
    }
}
