/// The name of an object in a store: segments of UTF-8, separated by single slashes.
///
/// A key is a sequence of bytes, and stores compare bytes. `String` would compare, split and search by `Character`: to
/// it, a slash followed by a combining mark is not a slash, and two encodings of one letter are equal. Therefore all
/// operations on keys are methods of this type and work on bytes.
package struct ObjectKey: Hashable, Sendable {
    /// The maximum length in bytes, which is the limit of S3.
    package static let byteCountMax = 1_024
    package static let separator = UInt8(ascii: "/")

    /// The key as UTF-8.
    package let bytes: [UInt8]

    /// Checks the rules that every store has for keys. Throws for an invalid key and does not repair it, because no
    /// user has chosen the repaired key.
    package init(validating text: String) throws(ObjectKeyError) {
        try self.init(validating: text.utf8)
    }

    /// - Parameter bytes: the key as UTF-8.
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

    /// The key as text, for display and for sending. To split or compare keys, use the methods of this type.
    package var text: String { String(decoding: bytes, as: UTF8.self) }

    /// The segments between the slashes; at least one.
    package var segments: [ArraySlice<UInt8>] { Self.segments(of: bytes) }

    /// Whether the key begins with these bytes.
    package func hasPrefix(_ prefix: some Sequence<UInt8>) -> Bool { bytes.starts(with: prefix) }

    /// Whether the first segment equals `folder`: the key is in that folder, or it is the name of the folder itself.
    package func isIn(folder: String) -> Bool { segments.first?.elementsEqual(folder.utf8) ?? false }

    private static func segments(of bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        bytes.split(separator: separator, omittingEmptySubsequences: false)
    }
}

extension ObjectKey: Comparable {
    /// Orders keys by their bytes, which is the order in which stores list them.
    package static func < (left: ObjectKey, right: ObjectKey) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes)
    }
}

extension ObjectKey: CustomStringConvertible {
    package var description: String { text }
}

/// The reason why a text is not a valid key.
package enum ObjectKeyError: Error, Hashable, Sendable, CustomStringConvertible {
    case empty
    case tooLong(bytes: Int)
    case slashAtEdge
    case emptySegment
    case dotSegment
    case zeroByte
    case notUTF8

    /// The reason for the person who chose the key, to be part of a sentence.
    package var description: String {
        switch self {
        case .empty: "the key is empty"
        case .tooLong(let bytes): "the key has \(bytes) bytes; at most 1,024 are allowed"
        case .slashAtEdge: "the key begins or ends with a slash"
        case .emptySegment: "the key has two slashes in a row"
        case .dotSegment: "the key has a segment that is one full stop or two"
        case .zeroByte: "the key has a zero byte"
        case .notUTF8: "the key is not UTF-8"
        }
    }
}

// Members for keys and paths that are kept as `String`. They compare and split text by bytes.
extension StringProtocol {
    /// Whether both texts have the same bytes. Texts that only Unicode treats as equivalent are different.
    package func hasSameBytes(as other: some StringProtocol) -> Bool { utf8.elementsEqual(other.utf8) }

    /// Whether the path begins with a slash.
    package var isAbsolutePath: Bool { utf8.first == ObjectKey.separator }

    /// The last segment of a path. Slashes at the end of the path are ignored.
    package var lastPathSegment: String {
        String(decoding: utf8.split(separator: ObjectKey.separator).last ?? utf8[...], as: UTF8.self)
    }
}

extension Sequence where Element == UInt8 {
    /// Whether the segment is `.` or `..`, which name a folder itself or its parent.
    package var isDots: Bool { elementsEqual(".".utf8) || elementsEqual("..".utf8) }
}
