import FoundationEssentials
import TransferCommon
package import WireProtocol

// Receipts as text for people. Names and keys come from a file or a peer. Control characters in them are made visible,
// so that they cannot control the terminal.

extension ReceiptStatement {
    /// When the receipt was made, by the gateway's clock: UTC, in whole seconds.
    package var timeText: String {
        // The formatter works only up to the year 9999, but a statement may contain any number.
        guard (0...253_402_300_799_999).contains(timeMilliseconds) else { return "\(timeMilliseconds) ms since 1970" }
        return Date(timeIntervalSince1970: Double(timeMilliseconds / 1_000)).ISO8601Format()
    }

    /// The digest of the content as text: its kind, what it covers, and its value.
    package var contentText: String {
        switch evidence {
        case .root(let digest): "root digest \(digest) in parts of \(partBytes) bytes"
        case .wholeDigest(let digest): "sha256 \(digest)"
        // A parsed statement never has evidence of these kinds.
        case .none, .compositeMD5: "unknown"
        }
    }

    /// Time, size, key and content in one line, for a list.
    package var line: String { "\(timeText)  \(size) B  \(key.withVisibleControls)  \(contentText)" }

    /// All fields except the object's key, one per line.
    package var details: [String] {
        [
            "stored     \(timeText), by the gateway's clock", "size       \(size) bytes", "content    \(contentText)",
            "etag       \(etag.withVisibleControls)", "version    \(version.withVisibleControls)",
            "device     \(device.withVisibleControls)", "session    \(session)", "store      \(storeIdentity)",
            "signed by  \(Fingerprint(siteKey))",
        ]
    }
}
