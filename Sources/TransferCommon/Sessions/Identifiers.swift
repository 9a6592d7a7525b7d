// The fixed-width values that frames carry (Protocol/specification.md §2). They are defined in the lowest target so
// that all other targets share the same types.

/// The id of a session: 128 random bits. The agent generates it before it sends the first frame about the session.
package struct SessionID: Hashable, Comparable, Sendable {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// All bits 0. A frame field has this value if it names no session.
    package static let zero = SessionID(high: 0, low: 0)

    /// Draws all 128 bits of a new id from the generator.
    package static func random(using generator: inout some RandomNumberGenerator) -> SessionID {
        SessionID(high: generator.next(), low: generator.next())
    }

    package static func < (left: SessionID, right: SessionID) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

/// Identifies one run of an agent process: 128 random bits. All connections of the process send the same value.
package struct RunID: Hashable, Sendable {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Draws all 128 bits of a new id from the generator.
    package static func random(using generator: inout some RandomNumberGenerator) -> RunID {
        RunID(high: generator.next(), low: generator.next())
    }
}

/// The secret of an invitation: 128 random bits. One device can enrol with it, once. The descriptions of this type do
/// not show the bits.
package struct InvitationSecret: Hashable, Sendable {
    package static let byteCount = 16

    private let high: UInt64
    private let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// - Parameter bytes: exactly 16 bytes. For any other number the result is `nil`.
    package init?(bytes: some Collection<UInt8>) {
        guard let words = twoWords(bytes) else { return nil }
        self.init(high: words.high, low: words.low)
    }

    /// The 16 bytes, most significant first. The wire, the invitation code and the secret's digest use this form.
    package var bytes: [UInt8] { bytesOf(high, low) }
}

extension InvitationSecret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "(an invitation's secret)" }

    package var debugDescription: String { description }

    package var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}

/// SHA-256 of a part's plain bytes, of a file's part digests (the root digest), or of a public key (a fingerprint).
package struct SHA256Digest: Hashable, Sendable {
    package static let byteCount = 32
    /// 32 zero bytes. A frame field has this value if there is no digest to send.
    package static let zero = SHA256Digest(words: (0, 0, 0, 0))

    private let words: (UInt64, UInt64, UInt64, UInt64)

    private init(words: (UInt64, UInt64, UInt64, UInt64)) {
        self.words = words
    }

    /// - Parameter bytes: exactly 32 bytes. For any other number the result is `nil`.
    package init?(bytes: some Collection<UInt8>) {
        let read = withBytes(of: bytes) { bytes -> (UInt64, UInt64, UInt64, UInt64)? in
            guard bytes.count == Self.byteCount else { return nil }
            return (bytes.word(at: 0), bytes.word(at: 8), bytes.word(at: 16), bytes.word(at: 24))
        }
        guard let read else { return nil }
        self.words = read
    }

    /// The 32 bytes, most significant first.
    package var bytes: [UInt8] {
        withUnsafeBytes(Array.init)
    }

    /// Calls `body` with the 32 bytes, most significant first, without copying them to the heap.
    package func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        let ordered = (words.0.bigEndian, words.1.bigEndian, words.2.bigEndian, words.3.bigEndian)
        return Swift.withUnsafeBytes(of: ordered, body)
    }

    package static func == (left: SHA256Digest, right: SHA256Digest) -> Bool {
        left.words == right.words
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
    }
}

/// MD5 of a part's plain bytes, for stores that keep no SHA-256. MD5 shows accidental changes. An attacker can change
/// bytes without changing their MD5.
package struct MD5Digest: Hashable, Sendable {
    package static let byteCount = 16

    private let high: UInt64
    private let low: UInt64

    /// - Parameter bytes: exactly 16 bytes. For any other number the result is `nil`.
    package init?(bytes: some Collection<UInt8>) {
        guard let words = twoWords(bytes) else { return nil }
        self.high = words.high
        self.low = words.low
    }

    /// The 16 bytes, most significant first.
    package var bytes: [UInt8] {
        bytesOf(high, low)
    }
}

/// The number of a part within its file, from 1.
package struct PartNumber: Hashable, Comparable, Sendable {
    package let value: UInt32

    /// - Parameter value: a number from 1. For 0 the result is `nil`.
    package init?(_ value: UInt32) {
        guard value >= 1 else { return nil }
        self.value = value
    }

    package static func < (left: PartNumber, right: PartNumber) -> Bool {
        left.value < right.value
    }
}

/// A position within a part, in plain bytes from its start.
package typealias ByteOffset = UInt64

extension SessionID: LosslessStringConvertible {
    /// - Parameter description: 32 hexadecimal digits.
    package init?(_ description: String) {
        guard let bytes = bytesOfHexadecimal(description), let words = twoWords(bytes) else { return nil }
        self.init(high: words.high, low: words.low)
    }

    package var description: String { hexadecimal(bytes) }

    package var bytes: [UInt8] { bytesOf(high, low) }
}

extension RunID: CustomStringConvertible {
    package var description: String { hexadecimal(bytesOf(high, low)) }
}

extension SHA256Digest: LosslessStringConvertible {
    /// - Parameter description: 64 hexadecimal digits.
    package init?(_ description: String) {
        guard let bytes = bytesOfHexadecimal(description) else { return nil }
        self.init(bytes: bytes)
    }

    package var description: String { hexadecimal(bytes) }
}

extension MD5Digest: LosslessStringConvertible {
    /// - Parameter description: 32 hexadecimal digits.
    package init?(_ description: String) {
        guard let bytes = bytesOfHexadecimal(description) else { return nil }
        self.init(bytes: bytes)
    }

    package var description: String { hexadecimal(bytes) }
}

extension PartNumber: CustomStringConvertible {
    package var description: String { String(value) }
}

/// Returns lower-case hexadecimal digits, two per byte.
package func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    withBytes(of: bytes) { bytes in
        String(unsafeUninitializedCapacity: 2 * bytes.count) { text in
            for (index, byte) in bytes.enumerated() {
                text[2 * index] = hexadecimalDigit(byte >> 4)
                text[2 * index + 1] = hexadecimalDigit(byte & 0x0F)
            }
            return 2 * bytes.count
        }
    }
}

private func hexadecimalDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
}

/// Decodes hexadecimal digits of either case; returns `nil` for any other text or an odd number of digits.
package func bytesOfHexadecimal(_ text: some StringProtocol) -> [UInt8]? {
    let digits = Array(text.utf8)
    guard digits.count.isMultiple(of: 2) else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(digits.count / 2)
    for index in stride(from: 0, to: digits.count, by: 2) {
        guard let high = hexadecimalValue(digits[index]), let low = hexadecimalValue(digits[index + 1]) else {
            return nil
        }
        bytes.append(high << 4 | low)
    }
    return bytes
}

private func hexadecimalValue(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
}

// MARK: - Bytes and words

// The compiler does not always specialise generic functions for a caller in another module. An unspecialised loop over
// a collection allocates memory at each step. The functions of this file therefore get the bytes in one step and then
// work on raw memory.

private func withBytes<Result>(
    of bytes: some Sequence<UInt8>, _ body: (UnsafeRawBufferPointer) -> Result
) -> Result {
    bytes.withContiguousStorageIfAvailable { body(UnsafeRawBufferPointer($0)) } ?? Array(bytes).withUnsafeBytes(body)
}

private func twoWords(_ bytes: some Sequence<UInt8>) -> (high: UInt64, low: UInt64)? {
    withBytes(of: bytes) { $0.count == 16 ? ($0.word(at: 0), $0.word(at: 8)) : nil }
}

private func bytesOf(_ high: UInt64, _ low: UInt64) -> [UInt8] {
    withUnsafeBytes(of: (high.bigEndian, low.bigEndian), Array.init)
}

extension UnsafeRawBufferPointer {
    fileprivate func word(at offset: Int) -> UInt64 {
        UInt64(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}
