package import TransferCommon
package import TransferCore
import WireProtocol

// What a user chooses as metadata, and how the journal keeps it: a line for each pair, `=` between its name and its
// value. No name has a `=` in it, and no value a line feed (specification §6.6).

extension SessionMetadata {
    /// The pairs in one text.
    var lines: String {
        pairs.reduce(into: "") { lines, pair in lines += "\(pair.name)=\(pair.value)\n" }
    }

    /// The reverse. A line without `=` is a name without a value, which no session has.
    static func pairs(inLines text: String) -> [MetadataPair] {
        text.utf8.split(separator: UInt8(ascii: "\n")).map { MetadataPair(written: String(Substring($0))) }
    }
}

extension SessionMetadata {
    /// What a user chose, in any order.
    ///
    /// - Throws: `UploadFailure`, with the rule that it breaks.
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
    /// What a person or the journal writes: NAME=VALUE; the value is empty where there is no `=`.
    package init(written text: String) {
        let bytes = text.utf8
        let end = bytes.firstIndex(of: UInt8(ascii: "=")) ?? bytes.endIndex
        let value = end == bytes.endIndex ? "" : String(text[bytes.index(after: end)...])
        self.init(name: String(text[..<end]), value: value)
    }
}
