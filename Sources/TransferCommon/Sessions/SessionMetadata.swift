// Metadata that a store keeps with an object for readers of the object (specification §6.6). A device offers
// `OfferedMetadata`. A gateway checks the offer and makes `SessionMetadata` of it.

/// A name and a value of user metadata.
package struct MetadataPair: Hashable, Sendable {
    package let name: String
    package let value: String

    package init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

/// Metadata as SESSION OPEN carries it. The decoder has checked only that the fields are well-formed. A gateway makes
/// `SessionMetadata` from it, or refuses the session with `metadata_invalid`.
package struct OfferedMetadata: Hashable, Sendable {
    package let contentType: String
    /// At most 255 pairs.
    package let pairs: [MetadataPair]

    package init(contentType: String, pairs: [MetadataPair]) {
        self.contentType = contentType
        self.pairs = pairs
    }
}

/// Metadata that follows all rules of specification §6.6: a content type, and pairs of name and value that the user has
/// chosen.
package struct SessionMetadata: Hashable, Sendable {
    /// Maximum number of pairs. A frame can contain up to 255, but a gateway refuses more than this number.
    package static let pairsMax = 64
    /// Maximum length of the name of a pair in bytes.
    package static let nameBytesMax = 64
    /// Maximum number of bytes of all names and values together.
    package static let bytesMax = 1_792

    /// No content type and no pair.
    package static let none = SessionMetadata()

    /// The content type of the object; empty if it has none.
    package let contentType: String
    /// The pairs, ascending by the bytes of their names.
    package let pairs: [MetadataPair]

    private init() {
        contentType = ""
        pairs = []
    }

    /// Checks offered metadata against §6.6. Throws for metadata that breaks a rule, and does not repair it.
    package init(_ offered: OfferedMetadata) throws(SessionMetadataError) {
        guard offered.contentType.isEmpty || Self.isContentType(offered.contentType) else {
            throw .contentTypeInvalid(offered.contentType)
        }
        let pairs = offered.pairs
        guard pairs.count <= Self.pairsMax else { throw .tooManyPairs(pairs.count) }
        var byteCount = 0
        for (index, pair) in pairs.enumerated() {
            guard Self.isName(pair.name) else { throw .nameInvalid(pair.name) }
            guard !pair.name.utf8.starts(with: Self.ownPrefix.utf8) else { throw .nameReserved(pair.name) }
            if index > 0, !pairs[index - 1].name.utf8.lexicographicallyPrecedes(pair.name.utf8) {
                throw .namesNotAscending(pair.name)
            }
            guard Self.isTidy(pair.value) else { throw .valueInvalid(name: pair.name) }
            byteCount += pair.name.utf8.count + pair.value.utf8.count
        }
        guard byteCount <= Self.bytesMax else { throw .tooLong(byteCount: byteCount) }
        self.contentType = offered.contentType
        self.pairs = pairs
    }

    /// The same metadata in the form in which SESSION OPEN contains it.
    package var offered: OfferedMetadata { OfferedMetadata(contentType: contentType, pairs: pairs) }

    /// Prefix of the names of the metadata that gateways write themselves (§11.4).
    private static let ownPrefix = "sluice-"

    private static func isContentType(_ text: String) -> Bool {
        isTidy(text) && text.utf8.count <= UInt8.max && text.utf8.dropFirst().dropLast().contains(UInt8(ascii: "/"))
    }

    private static func isName(_ text: String) -> Bool {
        (1...Self.nameBytesMax).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    /// Whether HTTP passes a text on unchanged: at least one byte, only printable ASCII, no space at the beginning or
    /// end, and no two spaces in a row.
    private static func isTidy(_ text: String) -> Bool {
        let space = UInt8(ascii: " ")
        // Pretend that a space precedes the text, so that the check below also refuses a space at the beginning.
        var previous = space
        for byte in text.utf8 {
            guard (0x20...0x7E).contains(byte), byte != space || previous != space else { return false }
            previous = byte
        }
        return previous != space
    }
}

/// The rule of specification §6.6 that the metadata breaks.
package enum SessionMetadataError: Error, Hashable, Sendable {
    case contentTypeInvalid(String)
    case tooManyPairs(Int)
    case nameInvalid(String)
    /// The name begins with the prefix of the names that gateways use themselves.
    case nameReserved(String)
    /// The name is equal to the name before it, or smaller in byte order.
    case namesNotAscending(String)
    case valueInvalid(name: String)
    case tooLong(byteCount: Int)
}

extension SessionMetadataError: CustomStringConvertible {
    /// A sentence for the person who chose the metadata.
    package var description: String {
        switch self {
        case .contentTypeInvalid(let text):
            "the content type \"\(text)\" is not printable ASCII with a slash inside and single spaces"
        case .tooManyPairs(let count):
            "\(count) pairs of metadata are too many: at most \(SessionMetadata.pairsMax) are allowed"
        case .nameInvalid(let name):
            "the metadata name \"\(name)\" is not 1 to \(SessionMetadata.nameBytesMax) of a-z, 0-9 and -"
        case .nameReserved(let name):
            "the metadata name \"\(name)\" begins with sluice-, which is for gateways only"
        case .namesNotAscending(let name):
            "the metadata name \"\(name)\" is there twice, or the names are not in ascending order"
        case .valueInvalid(let name):
            "the metadata value of \"\(name)\" is empty, or not printable ASCII with single spaces"
        case .tooLong(let byteCount):
            "the metadata have \(byteCount) bytes: at most \(SessionMetadata.bytesMax) are allowed"
        }
    }
}
