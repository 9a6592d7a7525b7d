/// Bytes as a sequence of choices. At their end everything that is asked for is zero, so that any bytes are a course.
struct FuzzInput {
    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) {
        rest = bytes[...]
    }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func byte() -> UInt8 {
        rest.popFirst() ?? 0
    }

    /// A number from 0 to one below `count`, which is at most 256.
    mutating func choice(_ count: Int) -> Int {
        Int(byte()) % max(count, 1)
    }

    /// A number of so many bytes, most significant first.
    mutating func integer(bytes count: Int = 8) -> UInt64 {
        (0..<count).reduce(0) { value, _ in value << 8 | UInt64(byte()) }
    }

    /// Up to `count` bytes.
    mutating func bytes(_ count: Int) -> [UInt8] {
        let bytes = rest.prefix(count)
        rest = rest.dropFirst(count)
        return Array(bytes)
    }
}
