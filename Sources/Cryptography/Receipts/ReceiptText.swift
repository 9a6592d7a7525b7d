import FoundationEssentials
import TransferCommon
package import WireProtocol

// How receipts are shown to people. Names and keys came from elsewhere: their control characters are made visible.

extension ReceiptStatement {
    /// When the receipt was made, by the gateway's clock: UTC, in whole seconds.
    package var timeText: String {
        // Up to the year 9999; a statement may hold any number.
        guard (0...253_402_300_799_999).contains(timeMilliseconds) else { return "\(timeMilliseconds) ms since 1970" }
        return Date(timeIntervalSince1970: Double(timeMilliseconds / 1_000)).ISO8601Format()
    }

    /// The content in words: which digest, and of what.
    package var contentText: String {
        switch evidence {
        case .root(let digest): "root digest \(digest) in parts of \(partBytes) bytes"
        case .wholeDigest(let digest): "sha256 \(digest)"
        // No statement that was read has another kind.
        case .none, .compositeMD5: "unknown"
        }
    }

    /// Time, size, key and content, for a list.
    package var line: String { "\(timeText)  \(size) B  \(key.withVisibleControls)  \(contentText)" }

    /// What was stored, when, and under which key it was signed: a field a line, without the key of the object.
    package var details: [String] {
        [
            "stored     \(timeText), by the gateway's clock", "size       \(size) bytes", "content    \(contentText)",
            "etag       \(etag.withVisibleControls)", "version    \(version.withVisibleControls)",
            "device     \(device.withVisibleControls)", "session    \(session)", "store      \(storeIdentity)",
            "signed by  \(Fingerprint(siteKey))",
        ]
    }
}
