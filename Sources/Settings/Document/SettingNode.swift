import TransferCommon

/// One value of a settings file, with the line on which it begins.
package struct SettingNode: Equatable, Sendable {
    /// The three shapes of a value.
    package enum Value: Equatable, Sendable {
        case scalar(SettingScalar)
        case list([SettingNode])
        case map([SettingEntry])
    }

    package let value: Value
    /// Counts from 1.
    package let line: Int

    package init(_ value: Value, line: Int) {
        self.value = value
        self.line = line
    }

    /// Whether both say the same, wherever they stand in their files.
    package func hasSameValue(as other: SettingNode) -> Bool {
        switch (value, other.value) {
        case (.scalar(let left), .scalar(let right)):
            left.kind == right.kind && left.text.hasSameBytes(as: right.text)
        case (.list(let left), .list(let right)):
            left.count == right.count && zip(left, right).allSatisfy { $0.hasSameValue(as: $1) }
        case (.map(let left), .map(let right)):
            left.count == right.count
                && zip(left, right).allSatisfy {
                    $0.key.hasSameBytes(as: $1.key) && $0.value.hasSameValue(as: $1.value)
                }
        case (.scalar, _), (.list, _), (.map, _): false
        }
    }
}

/// One key of a map, with its value.
package struct SettingEntry: Equatable, Sendable {
    package let key: String
    /// The line of the key; counts from 1.
    package let line: Int
    package let value: SettingNode

    package init(key: String, line: Int, value: SettingNode) {
        self.key = key
        self.line = line
        self.value = value
    }
}

/// A value that is neither a list nor a map: its text, and what the file says about its type.
package struct SettingScalar: Equatable, Sendable {
    /// The type of a value in the file. Quotes make a value text, whatever is between them.
    package enum Kind: Equatable, Sendable {
        case text
        case number
        case boolean
        case null
    }

    package let text: String
    package let kind: Kind
    /// The bytes of the value in the file, with its quotes.
    package let range: Range<Int>

    package init(text: String, kind: Kind, range: Range<Int>) {
        self.text = text
        self.kind = kind
        self.range = range
    }
}

extension SettingScalar.Kind {
    /// The type of a YAML value without quotes, by the core schema of YAML 1.2: `yes` and `12:30` are text.
    init(plain text: String) {
        switch text {
        case "", "~", "null", "Null", "NULL": self = .null
        case "true", "True", "TRUE", "false", "False", "FALSE": self = .boolean
        default: self = Self.isNumber(Array(text.utf8)[...]) ? .number : .text
        }
    }

    private static func isNumber(_ text: ArraySlice<UInt8>) -> Bool {
        let unsigned = text.first == UInt8(ascii: "-") || text.first == UInt8(ascii: "+") ? text.dropFirst() : text
        if [".inf", ".Inf", ".INF"].contains(where: { unsigned.elementsEqual($0.utf8) }) { return true }
        if [".nan", ".NaN", ".NAN"].contains(where: { text.elementsEqual($0.utf8) }) { return true }
        if text.starts(with: "0x".utf8) { return isRun(of: text.dropFirst(2), \.isHexadecimal) }
        if text.starts(with: "0o".utf8) { return isRun(of: text.dropFirst(2), \.isOctal) }
        let whole = unsigned.prefix(while: \.isDigit)
        var rest = unsigned.dropFirst(whole.count)
        var fraction: ArraySlice<UInt8> = []
        if rest.first == UInt8(ascii: ".") {
            fraction = rest.dropFirst().prefix(while: \.isDigit)
            rest = rest.dropFirst(1 + fraction.count)
        }
        guard !whole.isEmpty || !fraction.isEmpty else { return false }
        guard let mark = rest.first else { return true }
        guard mark == UInt8(ascii: "e") || mark == UInt8(ascii: "E") else { return false }
        let exponent = rest.dropFirst()
        let isSigned = exponent.first == UInt8(ascii: "-") || exponent.first == UInt8(ascii: "+")
        return isRun(of: isSigned ? exponent.dropFirst() : exponent, \.isDigit)
    }

    private static func isRun(of text: ArraySlice<UInt8>, _ isDigit: (UInt8) -> Bool) -> Bool {
        !text.isEmpty && text.allSatisfy(isDigit)
    }
}

extension UInt8 {
    var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }

    var isOctal: Bool { (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(self) }

    var isHexadecimal: Bool {
        isDigit || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(self)
            || (UInt8(ascii: "A")...UInt8(ascii: "F")).contains(self)
    }
}

/// The limits of a settings file. They bound time, memory and the depth of the call stack while a file is read.
package enum DocumentLimits {
    package static let bytesMax = 1 << 20
    /// How many lists and maps may be inside one another.
    package static let depthMax = 16
    /// How many values a file may have, lists and maps included.
    package static let nodesMax = 20_000
}

/// Why a file is neither YAML nor JSON that Sluice reads.
package struct DocumentError: Error, Equatable {
    package let line: Int
    package let reason: String

    static func tooDeep(line: Int) -> DocumentError {
        DocumentError(
            line: line, reason: "more than \(DocumentLimits.depthMax) lists and maps are inside one another")
    }

    static func tooManyNodes(line: Int) -> DocumentError {
        DocumentError(line: line, reason: "the file has more than \(DocumentLimits.nodesMax) values")
    }
}
