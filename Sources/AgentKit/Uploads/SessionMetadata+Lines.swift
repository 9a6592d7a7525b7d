package import TransferCommon
package import TransferCore
import WireProtocol

// User metadata as text, in the format in which users enter it and the journal stores it. Each pair is a line
// `name=value`. A name never contains `=`, and a value never contains a line feed (specification §6.6).

extension SessionMetadata {
    /// All pairs as text, one pair a line.
    var lines: String {
        pairs.reduce(into: "") { lines, pair in lines += "\(pair.name)=\(pair.value)\n" }
    }

    /// Parses pairs, one a line. A line without `=` becomes a name with an empty value, which no session accepts.
    static func pairs(inLines text: String) -> [MetadataPair] {
        text.utf8.split(separator: UInt8(ascii: "\n")).map { MetadataPair(written: String(Substring($0))) }
    }
}

extension SessionMetadata {
    /// Validates metadata chosen by a user, in any order.
    ///
    /// - Throws: `UploadFailure` with the violated rule.
    package init(chosen pairs: [MetadataPair], contentType: String) throws(UploadFailure) {
        let ordered = pairs.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        do throws(SessionMetadataError) {
            try self.init(OfferedMetadata(contentType: contentType, pairs: ordered))
        } catch {
            throw UploadFailure(.metadataInvalid, error.description.withVisibleControls)
        }
    }
}

extension MetadataPair {
    /// Parses `name=value`. The value is empty if there is no `=`.
    package init(written text: String) {
        let bytes = text.utf8
        let end = bytes.firstIndex(of: UInt8(ascii: "=")) ?? bytes.endIndex
        let value = end == bytes.endIndex ? "" : String(text[bytes.index(after: end)...])
        self.init(name: String(text[..<end]), value: value)
    }
}
