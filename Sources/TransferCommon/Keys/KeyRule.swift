/// The rule for keys that a device may request (specification §6.2). The rule allows all keys that every store can hold
/// (`ObjectKey`), except keys that a proxy in front of a store could change into another key.
package enum KeyRule {
    package static let keyBytesMax = ObjectKey.byteCountMax
    /// Prefix of the keys that gateways use themselves. No device may write keys with this prefix.
    package static let reservedPrefix = ".sluice/"

    /// The reason why a key is refused. `message` is a sentence for a person.
    package enum Refusal: Error, Equatable, Sendable {
        case empty
        case tooLong(bytes: Int)
        case slashAtEdge
        case emptySegment
        case dotSegment
        case controlCharacter
        case backslash
        case encodedSeparator
        case reserved

        fileprivate init(_ error: ObjectKeyError) {
            self =
                switch error {
                case .empty: .empty
                case .tooLong(let bytes): .tooLong(bytes: bytes)
                case .slashAtEdge: .slashAtEdge
                case .emptySegment: .emptySegment
                case .dotSegment: .dotSegment
                // A zero byte is a control character. `notUTF8` cannot occur here: this type takes keys as `String`.
                case .zeroByte, .notUTF8: .controlCharacter
                }
        }

        /// A sentence for the person who chose the key.
        package var message: String {
            switch self {
            case .empty: "the key is empty"
            case .tooLong(let bytes): "the key has \(bytes) bytes with the device's prefix; at most 1,024 are allowed"
            case .slashAtEdge: "the key begins or ends with a slash"
            case .emptySegment: "the key has two slashes in a row"
            case .dotSegment: "the key has a segment that is . or .., or either percent-encoded"
            case .controlCharacter: "the key has a control character"
            case .backslash: "the key has a backslash"
            case .encodedSeparator: "the key has a percent-encoded slash, backslash or NUL"
            case .reserved: "keys under .sluice/ are the gateway's own"
            }
        }
    }

    /// Builds the complete key of an object from the device's prefix and the requested key.
    ///
    /// - Parameters:
    ///   - prefix: the device's prefix from the device list: empty, or ending in `/`.
    ///   - key: as the agent sent it, relative to the prefix.
    package static func wholeKey(prefix: String, key: String) throws(Refusal) -> String {
        let bytes = Array(key.utf8)
        guard !bytes.isEmpty else { throw .empty }
        let wholeBytes = Array(prefix.utf8) + bytes
        guard wholeBytes.count <= keyBytesMax else { throw .tooLong(bytes: wholeBytes.count) }
        guard !bytes.contains(UInt8(ascii: "\\")) else { throw .backslash }
        guard !bytes.contains(where: { $0 < 0x20 || $0 == 0x7F }) else { throw .controlCharacter }
        let asked: ObjectKey
        do {
            asked = try ObjectKey(validating: bytes)
        } catch {
            throw Refusal(error)
        }
        for segment in asked.segments {
            guard !decodedOnce(segment).isDots else { throw .dotSegment }
        }
        guard !hasEncodedSeparator(bytes) else { throw .encodedSeparator }
        guard !decodedOnce((wholeBytes + [slash])[...]).starts(with: reservedPrefix.utf8) else { throw .reserved }
        return String(decoding: wholeBytes, as: UTF8.self)
    }

    /// Whether the device list may contain this prefix: it is empty, or a valid key followed by `/`.
    package static func isPrefix(_ prefix: String) -> Bool {
        guard !prefix.isEmpty else { return true }
        guard prefix.utf8.last == slash else { return false }
        do {
            // Remove the slash as a byte. A `Character` may contain more than the slash, because some code points form
            // one `Character` with the code point after them.
            _ = try wholeKey(prefix: "", key: String(decoding: prefix.utf8.dropLast(), as: UTF8.self))
            return true
        } catch {
            return false
        }
    }

    private static let slash = ObjectKey.separator

    /// Decodes percent escapes once. Some stores or proxies do so although the client did not encode the key.
    private static func decodedOnce(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var decoded: [UInt8] = []
        var rest = bytes
        while let first = rest.first {
            let digits = rest.dropFirst().prefix(2).compactMap(hexadecimalValue)
            let byte = first == UInt8(ascii: "%") && digits.count == 2 ? digits[0] << 4 | digits[1] : nil
            decoded.append(byte ?? first)
            rest = rest.dropFirst(byte == nil ? 1 : 3)
        }
        return decoded
    }

    private static func hexadecimalValue(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    private static func hasEncodedSeparator(_ bytes: [UInt8]) -> Bool {
        let separators = ["2f", "5c", "00"].map { Array($0.utf8) }
        return bytes.indices.contains { index in
            guard bytes[index] == UInt8(ascii: "%"), bytes.count - index > 2 else { return false }
            return separators.contains { $0[0] == bytes[index + 1] && $0[1] == bytes[index + 2] | 0x20 }
                || separators.contains { $0[0] == bytes[index + 1] && $0[1] == bytes[index + 2] }
        }
    }
}
