package import TransferCommon

/// A set of part numbers, one bit each up to the highest: about a kilobyte for the longest list.
package struct PartSet: Hashable, Sendable {
    private var words: [UInt64] = []
    /// All words before this index are zero.
    private var start = 0
    package private(set) var count = 0

    package init() {}

    package var isEmpty: Bool { count == 0 }

    /// The memory of the set.
    package var memoryBytes: UInt64 { UInt64(64 + words.count * 8) }

    /// Adds a number. Does nothing if the set has it.
    package mutating func insert(_ part: PartNumber) {
        let (index, bit) = Self.place(of: part)
        if words.count <= index { words += repeatElement(0, count: index + 1 - words.count) }
        guard words[index] & bit == 0 else { return }
        words[index] |= bit
        start = min(start, index)
        count += 1
    }

    /// Whether the set has a number.
    package func contains(_ part: PartNumber) -> Bool {
        let (index, bit) = Self.place(of: part)
        return index < words.count && words[index] & bit != 0
    }

    /// Removes and returns the lowest number; `nil` if the set is empty.
    package mutating func removeFirst() -> PartNumber? {
        while start < words.count, words[start] == 0 { start += 1 }
        guard start < words.count else { return nil }
        let bit = words[start].trailingZeroBitCount
        words[start] &= words[start] - 1
        count -= 1
        return PartNumber(UInt32(start * 64 + bit))
    }

    private static func place(of part: PartNumber) -> (index: Int, bit: UInt64) {
        (Int(part.value / 64), 1 << UInt64(part.value % 64))
    }
}
