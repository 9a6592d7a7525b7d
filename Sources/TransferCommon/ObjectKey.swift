/// The name of an object in a store: segments of UTF-8 with one slash between each two.
///
/// A key is bytes. `String` compares, splits and searches by grapheme cluster: a slash followed by a combining mark is
/// another `Character` than a slash, and two spellings of one letter are equal. A store knows nothing of that. So every
/// operation on keys is here, and works on bytes.
package struct ObjectKey: Hashable, Sendable {
    /// The greatest length, in bytes. S3's own limit.
    package static let byteCountMax = 1_024
    package static let separator = UInt8(ascii: "/")

    /// UTF-8.
    package let bytes: [UInt8]

    /// Checks what holds in every store. A key is refused, never repaired: a repaired key is one that nobody asked for.
    package init(validating text: String) throws(ObjectKeyError) {
        try self.init(validating: text.utf8)
    }

    /// - Parameter bytes: UTF-8.
    package init(validating bytes: some Sequence<UInt8>) throws(ObjectKeyError) {
        let bytes = Array(bytes)
        guard !bytes.isEmpty else { throw .empty }
        guard bytes.count <= Self.byteCountMax else { throw .tooLong(bytes: bytes.count) }
        guard bytes.first != Self.separator, bytes.last != Self.separator else { throw .slashAtEdge }
        for segment in Self.segments(of: bytes) {
            guard !segment.isEmpty else { throw .emptySegment }
            guard !segment.isDots else { throw .dotSegment }
        }
        guard !bytes.contains(0) else { throw .zeroByte }
        guard String(validating: bytes, as: UTF8.self) != nil else { throw .notUTF8 }
        self.bytes = bytes
    }

    /// The same bytes as text, to be shown, sent or written, not to be taken apart.
    package var text: String { String(decoding: bytes, as: UTF8.self) }

    /// What lies between the slashes, at least one.
    package var segments: [ArraySlice<UInt8>] { Self.segments(of: bytes) }

    /// Whether the key begins with these bytes.
    package func hasPrefix(_ prefix: some Sequence<UInt8>) -> Bool { bytes.starts(with: prefix) }

    /// The first segment is this one: the key is in that folder, or is its name.
    package func isIn(folder: String) -> Bool { segments.first?.elementsEqual(folder.utf8) ?? false }

    private static func segments(of bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        bytes.split(separator: separator, omittingEmptySubsequences: false)
    }
}

extension ObjectKey: Comparable {
    /// By bytes, as stores list keys.
    package static func < (left: ObjectKey, right: ObjectKey) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes)
    }
}

extension ObjectKey: CustomStringConvertible {
    package var description: String { text }
}

/// Why a text is no key.
package enum ObjectKeyError: Error, Hashable, Sendable, CustomStringConvertible {
    case empty
    case tooLong(bytes: Int)
    case slashAtEdge
    case emptySegment
    case dotSegment
    case zeroByte
    case notUTF8

    /// A sentence for the person who chose the key.
    package var description: String {
        switch self {
        case .empty: "The key is empty."
        case .tooLong(let bytes): "The key has \(bytes) bytes; at most 1,024 are allowed."
        case .slashAtEdge: "The key begins or ends with a slash."
        case .emptySegment: "The key has two slashes in a row."
        case .dotSegment: "The key has a segment that is one full stop or two."
        case .zeroByte: "The key has a zero byte."
        case .notUTF8: "The key is not UTF-8."
        }
    }
}

// Keys and paths also travel as text. These compare and take apart text by bytes.
extension StringProtocol {
    /// The same bytes, whatever Unicode holds equal.
    package func hasSameBytes(as other: some StringProtocol) -> Bool { utf8.elementsEqual(other.utf8) }

    /// A path that begins with a slash.
    package var isAbsolutePath: Bool { utf8.first == ObjectKey.separator }

    /// What follows the last slash that does not stand at the end of a path.
    package var lastPathSegment: String {
        String(decoding: utf8.split(separator: ObjectKey.separator).last ?? utf8[...], as: UTF8.self)
    }
}

extension Sequence where Element == UInt8 {
    /// One full stop or two: as a segment of a path, they name its folder or the one above.
    package var isDots: Bool { elementsEqual(".".utf8) || elementsEqual("..".utf8) }
}
