/// Reads the bytes of an input as a sequence of choices. After the last byte every choice is zero, so any bytes are a
/// valid sequence of events.
struct FuzzInput {
    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) {
        rest = bytes[...]
    }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func byte() -> UInt8 {
        rest.popFirst() ?? 0
    }

    /// Reads a number from 0 to `count` - 1. `count` is at most 256.
    mutating func choice(_ count: Int) -> Int {
        Int(byte()) % max(count, 1)
    }

    /// Reads a big-endian number of `count` bytes.
    mutating func integer(bytes count: Int = 8) -> UInt64 {
        (0..<count).reduce(0) { value, _ in value << 8 | UInt64(byte()) }
    }

    /// Reads `count` bytes, or fewer at the end of the input.
    mutating func bytes(_ count: Int) -> [UInt8] {
        let bytes = rest.prefix(count)
        rest = rest.dropFirst(count)
        return Array(bytes)
    }
}
