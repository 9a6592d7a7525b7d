import TransferCommon
import WireProtocol

// How session records and FileStore's descriptions write a user's metadata in JSON.

extension SessionMetadata {
    /// `nil` where there is none: the field is left out.
    var writtenContentType: String? { contentType.isEmpty ? nil : contentType }

    /// `nil` where there are none: the field is left out.
    var writtenPairs: [String: String]? {
        // Their names are all different.
        pairs.isEmpty ? nil : Dictionary(pairs.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
    }

    /// `nil` where what was read breaks a rule: no gateway writes that.
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
