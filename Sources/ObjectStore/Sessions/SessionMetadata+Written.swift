import TransferCommon
import WireProtocol

// The JSON form of a user's metadata in session records and in FileStore's descriptions.

extension SessionMetadata {
    /// `nil` if the content type is empty: the field is left out.
    var writtenContentType: String? { contentType.isEmpty ? nil : contentType }

    /// `nil` if there are no pairs: the field is left out.
    var writtenPairs: [String: String]? {
        // The names are all different, so the closure never runs.
        pairs.isEmpty ? nil : Dictionary(pairs.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
    }

    /// Returns `nil` if the values break a rule of §6.6; no gateway writes such values.
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
