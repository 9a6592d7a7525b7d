import TransferCommon

/// The path of a file below its folder: names separated by single slashes. Paths are bytes, as the system keeps them;
/// they need not be UTF-8.
package struct ItemPath: Hashable, Sendable {
    package let bytes: [UInt8]

    /// - Parameter bytes: not empty, without slashes at its ends.
    package init(_ bytes: some Sequence<UInt8>) {
        self.bytes = Array(bytes)
    }

    package init(_ text: String) {
        self.bytes = Array(text.utf8)
    }

    /// The last name of the path.
    package var name: ArraySlice<UInt8> { bytes[nameStart...] }

    /// What precedes the name: empty, or names that end with a slash.
    package var directory: ArraySlice<UInt8> { bytes[..<nameStart] }

    private var nameStart: Int {
        bytes.lastIndex(of: ObjectKey.separator).map { $0 + 1 } ?? 0
    }

    /// The hidden name in the same directory that a file has while it is being removed.
    package func aside(_ tag: UInt64) -> ItemPath {
        let digits = String(tag, radix: 16)
        let zeros = String(repeating: "0", count: 16 - digits.utf8.count)
        return ItemPath(directory + Self.asidePrefix + Array((zeros + digits).utf8))
    }

    /// Whether the name is one that `aside` makes.
    package var isAside: Bool {
        name.count == Self.asidePrefix.count + 16 && name.starts(with: Self.asidePrefix)
            && name.dropFirst(Self.asidePrefix.count).allSatisfy(Self.isHexadecimal)
    }

    /// The path with `~2`, `~3` and so forth before the extension of its name.
    package func numbered(_ number: UInt32) -> ItemPath { ItemPath(bytes.numbered(number)) }

    /// The path for people. Bytes that are not UTF-8 appear as replacement characters.
    package var text: String { String(decoding: bytes, as: UTF8.self) }

    private static let asidePrefix = Array(".sluice-".utf8)

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }
}

extension ItemPath: CustomStringConvertible {
    package var description: String { text }
}

extension [UInt8] {
    /// The path or key with `~number` before the extension of its last name. A full stop at the start of the name
    /// begins no extension.
    func numbered(_ number: UInt32) -> [UInt8] {
        let nameStart = lastIndex(of: ObjectKey.separator).map { $0 + 1 } ?? 0
        let stop = self[nameStart...].lastIndex(of: UInt8(ascii: "."))
        let end = stop.flatMap { $0 > nameStart ? $0 : nil } ?? count
        return Array(self[..<end]) + Array("~\(number)".utf8) + Array(self[end...])
    }
}
