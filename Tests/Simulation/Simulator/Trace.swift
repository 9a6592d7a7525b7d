import TransferCommon

/// The events of a run in order: a hash of all events, and optionally a text of each.
package struct Trace {
    /// FNV-1a hash of all events. It is the same for one seed in every process.
    package private(set) var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    package private(set) var lines: [String] = []
    private let keepsLines: Bool

    init(keepsLines: Bool) {
        self.keepsLines = keepsLines
    }

    /// Adds one event: its numbers go into the hash, and its text into the readable trace.
    mutating func note(_ now: Instant, _ numbers: UInt64..., text: @autoclosure () -> String) {
        mix(now.nanoseconds)
        for number in numbers { mix(number) }
        guard keepsLines else { return }
        let milliseconds = Double((now.nanoseconds - 1_000_000_000) / 1_000) / 1_000
        lines.append("\(milliseconds) ms  \(text())")
    }

    private mutating func mix(_ number: UInt64) {
        hash = (hash ^ number) &* 0x0000_0100_0000_01B3
        hash ^= hash >> 29
    }
}
