import TransferCommon

/// Reads JSON strictly as RFC 8259 defines it. The reader of YAML cannot do this: YAML refuses `"\ud83d\ude00"`, which
/// JSON writes for characters beyond U+FFFF.
struct JSONReader {
    private let bytes: [UInt8]
    private var place = 0
    private var line = 1
    private var nodeCount = 0

    /// Reads a whole file.
    static func read(_ bytes: [UInt8]) throws(DocumentError) -> SettingNode {
        var reader = JSONReader(bytes: bytes)
        reader.skip("\u{FEFF}".utf8)
        let node = try reader.value(depth: 0)
        reader.skipSpace()
        guard reader.isAtEnd else { throw reader.error("something follows the end of the value") }
        return node
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    private var isAtEnd: Bool { place == bytes.count }
    private var next: UInt8? { place < bytes.count ? bytes[place] : nil }

    private func error(_ reason: String) -> DocumentError {
        DocumentError(line: line, reason: "this is not JSON: \(reason)")
    }

    private mutating func skip(_ text: some Collection<UInt8>) {
        if bytes[place...].starts(with: text) { place += text.count }
    }

    private mutating func skipSpace() {
        while let byte = next, [UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), 0x0D].contains(byte) {
            if byte == UInt8(ascii: "\n") { line += 1 }
            place += 1
        }
    }

    /// Takes the next byte after spaces if it is this one.
    private mutating func take(_ mark: Unicode.Scalar) -> Bool {
        skipSpace()
        guard let byte = next, byte == UInt8(ascii: mark) else { return false }
        place += 1
        return true
    }

    private mutating func value(depth: Int) throws(DocumentError) -> SettingNode {
        skipSpace()
        nodeCount += 1
        guard nodeCount <= DocumentLimits.nodesMax else { throw .tooManyNodes(line: line) }
        let line = line
        switch next {
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            guard depth < DocumentLimits.depthMax else { throw .tooDeep(line: line) }
            let isMap = next == UInt8(ascii: "{")
            place += 1
            return SettingNode(isMap ? .map(try entries(depth)) : .list(try elements(depth)), line: line)
        case UInt8(ascii: "\""):
            let start = place
            let text = try string()
            return SettingNode(.scalar(SettingScalar(text: text, kind: .text, range: start..<place)), line: line)
        default:
            return SettingNode(.scalar(try word()), line: line)
        }
    }

    private mutating func entries(_ depth: Int) throws(DocumentError) -> [SettingEntry] {
        var entries: [SettingEntry] = []
        if take("}") { return entries }
        repeat {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw error("a key in double quotes is missing") }
            let keyLine = line
            let key = try string()
            guard take(":") else { throw error("a colon after the key \(key.shown) is missing") }
            entries.append(SettingEntry(key: key, line: keyLine, value: try value(depth: depth + 1)))
        } while take(",")
        guard take("}") else { throw error("a comma or a closing brace is missing") }
        return entries
    }

    private mutating func elements(_ depth: Int) throws(DocumentError) -> [SettingNode] {
        var elements: [SettingNode] = []
        if take("]") { return elements }
        repeat { elements.append(try value(depth: depth + 1)) } while take(",")
        guard take("]") else { throw error("a comma or a closing bracket is missing") }
        return elements
    }

    /// Reads a number, `true`, `false` or `null`.
    private mutating func word() throws(DocumentError) -> SettingScalar {
        let start = place
        while let byte = next, byte.isWordByte { place += 1 }
        let text = String(decoding: bytes[start..<place], as: UTF8.self)
        let kind: SettingScalar.Kind
        switch text {
        case "true", "false": kind = .boolean
        case "null": kind = .null
        default:
            guard Self.isNumber(bytes[start..<place]) else {
                throw error(text.isEmpty ? "a value is missing" : "\(text.shown) is no value; text needs double quotes")
            }
            kind = .number
        }
        return SettingScalar(text: text, kind: kind, range: start..<place)
    }

    private static func isNumber(_ text: ArraySlice<UInt8>) -> Bool {
        var rest = text.first == UInt8(ascii: "-") ? text.dropFirst() : text
        let whole = rest.prefix(while: \.isDigit)
        guard !whole.isEmpty, whole.count == 1 || whole.first != UInt8(ascii: "0") else { return false }
        rest = rest.dropFirst(whole.count)
        if rest.first == UInt8(ascii: ".") {
            let fraction = rest.dropFirst().prefix(while: \.isDigit)
            guard !fraction.isEmpty else { return false }
            rest = rest.dropFirst(1 + fraction.count)
        }
        guard let mark = rest.first else { return true }
        guard mark == UInt8(ascii: "e") || mark == UInt8(ascii: "E") else { return false }
        rest = rest.dropFirst()
        if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
        return !rest.isEmpty && rest.allSatisfy(\.isDigit)
    }

    /// Reads a string, from its opening quote to its closing quote.
    private mutating func string() throws(DocumentError) -> String {
        place += 1
        var text: [UInt8] = []
        while let byte = next {
            place += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: text, as: UTF8.self) else { throw error("text is not UTF-8") }
                return text
            case UInt8(ascii: "\\"):
                text += Array(String(Character(try escapedScalar())).utf8)
            case 0..<0x20:
                throw error("a line feed or another control character is inside a string")
            default:
                text.append(byte)
            }
        }
        throw error("a string is not closed")
    }

    private mutating func escapedScalar() throws(DocumentError) -> Unicode.Scalar {
        let escape = next
        place = min(place + 1, bytes.count)
        switch escape {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): break
        default: throw error("a backslash is followed by none of \" \\ / b f n r t u")
        }
        let unit = try fourDigits()
        if let scalar = Unicode.Scalar(unit) { return scalar }
        // One half of a pair of surrogates: the other half has to follow.
        guard UTF16.isLeadSurrogate(unit), bytes[place...].starts(with: "\\u".utf8) else { throw loneSurrogate }
        place += 2
        let other = try fourDigits()
        guard UTF16.isTrailSurrogate(other) else { throw loneSurrogate }
        return UTF16.decode(UTF16.EncodedScalar([unit, other]))
    }

    private var loneSurrogate: DocumentError { error("\\u begins half of a pair of surrogates without the other half") }

    private mutating func fourDigits() throws(DocumentError) -> UInt16 {
        let digits = bytes[place...].prefix(4)
        guard digits.count == 4, digits.allSatisfy(\.isHexadecimal),
            let unit = UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw error("\\u is not followed by four hexadecimal digits") }
        place += 4
        return unit
    }
}

extension UInt8 {
    /// Whether the byte may be part of a number or of a word such as `true`.
    fileprivate var isWordByte: Bool {
        isDigit || self == UInt8(ascii: "-") || self == UInt8(ascii: "+") || self == UInt8(ascii: ".")
            || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self)
            || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self)
    }
}
