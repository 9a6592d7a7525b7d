import TransferCommon
import WireProtocol

// The JSON form of a user's metadata in session records and in FileStore's descriptions.

extension SessionMetadata {
    /// The content type for the JSON field; `nil` if it is empty, so that the field is left out.
    var writtenContentType: String? { contentType.isEmpty ? nil : contentType }

    /// The pairs for the JSON field; `nil` if there are none, so that the field is left out.
    var writtenPairs: [String: String]? {
        // The names are all different, so the closure never runs.
        pairs.isEmpty ? nil : Dictionary(pairs.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
    }

    /// Returns `nil` if the values break a rule of specification §6.6. No gateway writes such values.
    init?(writtenContentType: String?, writtenPairs: [String: String]?) {
        let pairs = (writtenPairs ?? [:]).map { MetadataPair(name: $0.key, value: $0.value) }
            .sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        do throws(SessionMetadataError) {
            self = try SessionMetadata(OfferedMetadata(contentType: writtenContentType ?? "", pairs: pairs))
        } catch {
            return nil
        }
    }
}
