/// Counts by key. A key without a count takes no memory.
struct Tally<Key: Hashable & Sendable>: Hashable, Sendable {
    private var counts: [Key: Int] = [:]
    /// The sum of the counts of all keys.
    private(set) var total = 0

    subscript(key: Key) -> Int { counts[key] ?? 0 }

    mutating func add(_ key: Key) {
        counts[key, default: 0] += 1
        total += 1
    }

    /// Lowers the count of a key by one; ignored if the key has no count.
    mutating func remove(_ key: Key) {
        guard let count = counts[key] else { return }
        counts[key] = count > 1 ? count - 1 : nil
        total -= 1
    }
}
