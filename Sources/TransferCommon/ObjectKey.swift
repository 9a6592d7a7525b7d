/// The name of an object in a store: segments of UTF-8, separated by single slashes.
///
/// A key is bytes. `String` compares, splits and searches by grapheme cluster: a slash followed by a combining mark
/// is not the `Character` "/", and two spellings of one letter are equal. Stores compare bytes. So all operations on
/// keys are methods of this type and work on bytes.
package struct ObjectKey: Hashable, Sendable {
    /// The greatest length in bytes, which is S3's own limit.
    package static let byteCountMax = 1_024
    package static let separator = UInt8(ascii: "/")

    /// UTF-8.
    package let bytes: [UInt8]

    /// Checks the rules that hold in every store. It refuses an invalid key and never repairs it, because the user did
    /// not ask for the repaired key.
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

    /// The same bytes as text, for display and for sending. Do not split or compare the text.
    package var text: String { String(decoding: bytes, as: UTF8.self) }

    /// The segments between the slashes; at least one.
    package var segments: [ArraySlice<UInt8>] { Self.segments(of: bytes) }

    /// Whether the key begins with these bytes.
    package func hasPrefix(_ prefix: some Sequence<UInt8>) -> Bool { bytes.starts(with: prefix) }

    /// Whether the first segment equals `folder`: the key lies in that folder, or is the folder's name.
    package func isIn(folder: String) -> Bool { segments.first?.elementsEqual(folder.utf8) ?? false }

    private static func segments(of bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        bytes.split(separator: separator, omittingEmptySubsequences: false)
    }
}

extension ObjectKey: Comparable {
    /// Orders keys by their bytes, as stores list them.
    package static func < (left: ObjectKey, right: ObjectKey) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes)
    }
}

extension ObjectKey: CustomStringConvertible {
    package var description: String { text }
}

/// Why a text is not a valid key.
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

// Keys and paths also travel as `String`. These members compare and split text by bytes.
extension StringProtocol {
    /// Whether both texts have the same bytes; Unicode equivalence does not count.
    package func hasSameBytes(as other: some StringProtocol) -> Bool { utf8.elementsEqual(other.utf8) }

    /// Whether the path begins with a slash.
    package var isAbsolutePath: Bool { utf8.first == ObjectKey.separator }

    /// The last segment of a path; slashes at the path's end do not count.
    package var lastPathSegment: String {
        String(decoding: utf8.split(separator: ObjectKey.separator).last ?? utf8[...], as: UTF8.self)
    }
}

extension Sequence where Element == UInt8 {
    /// Whether the segment is `.` or `..`, which name a folder itself or its parent.
    package var isDots: Bool { elementsEqual(".".utf8) || elementsEqual("..".utf8) }
}
