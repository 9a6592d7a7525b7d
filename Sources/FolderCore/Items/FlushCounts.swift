/// A moment for which `Folders.isFlushed` tells whether all files that were under way then have come to an end.
package struct FlushMark: Hashable, Sendable {
    fileprivate let number: UInt32
}

/// How many items are under way, by the number of flushes that had begun when each was last set under way. So a flush
/// costs nothing for each item, and files that come later do not prolong it.
struct FlushCounts: Hashable, Sendable {
    /// How many flushes have begun.
    private var begun: UInt32 = 0
    /// Has no entry for zero items.
    private var underWay: [UInt32: Int] = [:]

    /// Counts an item that is now under way, and returns the number to be given to `leave`.
    mutating func enter() -> UInt32 {
        underWay[begun, default: 0] += 1
        return begun
    }

    /// Counts an item that is no longer under way.
    mutating func leave(_ number: UInt32) {
        guard let count = underWay[number] else { return }
        underWay[number] = count > 1 ? count - 1 : nil
    }

    /// Begins a flush.
    mutating func mark() -> FlushMark {
        defer { begun += begun < .max ? 1 : 0 }
        return FlushMark(number: begun)
    }

    func isFlushed(_ mark: FlushMark) -> Bool { underWay.keys.allSatisfy { $0 > mark.number } }
}
