/// A shell pattern. It matches characters (Unicode scalars), whatever the locale of the process:
///
/// - `*` matches any characters, also none and slashes; `?` matches one character.
/// - `[abc]`, `[a-z]` and `[[:digit:]]` match one of the characters; `[!abc]` and `[^abc]` match any other one.
/// - A backslash makes the next character stand for itself. A backslash at the end matches nothing.
/// - A `[` that no `]` follows stands for itself.
///
/// A byte that is not part of valid UTF-8 counts as one character. Only `*`, `?` and negated sets match it.
///
/// `fnmatch` of the C library is not used: without a locale it takes bytes for characters, so `?` would not match `é`.
struct ShellPattern: Equatable, Sendable {
    /// A Unicode scalar, or a byte that is not part of valid UTF-8 (`byteBase` plus its value).
    typealias Unit = UInt32

    private enum Element: Equatable {
        case run
        case any
        case unit(Unit)
        case set([Member], isNegated: Bool)
        /// Matches no character.
        case never
    }

    private enum Member: Equatable {
        case range(ClosedRange<Unit>)
        case named(CharacterClass)
    }

    private static let byteBase: Unit = 0x11_0000
    private let elements: [Element]

    /// Whether the pattern has a slash, so that it is meant for whole paths.
    let hasSlash: Bool

    init(_ text: String) {
        hasSlash = text.utf8.contains(UInt8(ascii: "/"))
        var parser = Parser(Array(text.unicodeScalars))
        elements = parser.elements()
    }

    /// Whether the pattern matches the whole name. Compares each element of the pattern with each character at most
    /// once: on a mismatch, only the last `*` takes one character more.
    func matches(_ name: ArraySlice<Unit>) -> Bool {
        var (position, element) = (name.startIndex, 0)
        var run: (element: Int, position: Int)?
        while position < name.endIndex {
            if element < elements.count, elements[element] == .run {
                run = (element, position)
                element += 1
            } else if element < elements.count, Self.matches(elements[element], name[position]) {
                element += 1
                position += 1
            } else if let last = run {
                run = (last.element, last.position + 1)
                element = last.element + 1
                position = last.position + 1
            } else {
                return false
            }
        }
        return elements[element...].allSatisfy { $0 == .run }
    }

    private static func matches(_ element: Element, _ unit: Unit) -> Bool {
        switch element {
        case .run, .never: return false
        case .any: return true
        case .unit(let own): return own == unit
        case .set(let members, let isNegated):
            let isMember = members.contains { member in
                switch member {
                case .range(let range): range.contains(unit)
                case .named(let named): Unicode.Scalar(unit).map(named.contains) ?? false
                }
            }
            return isMember != isNegated
        }
    }

    // MARK: Names

    /// The characters of a name.
    static func units(of bytes: some Collection<UInt8>) -> [Unit] {
        var units: [Unit] = []
        units.reserveCapacity(bytes.count)
        var rest = bytes[...]
        while let first = rest.first {
            let scalar = first < 0x80 ? nil : firstScalar(of: rest)
            units.append(scalar?.value ?? (first < 0x80 ? Unit(first) : byteBase + Unit(first)))
            rest = rest.dropFirst(scalar.map { UTF8.width($0) } ?? 1)
        }
        return units
    }

    private static func firstScalar(of bytes: some Collection<UInt8>) -> Unicode.Scalar? {
        var decoder = UTF8()
        var iterator = bytes.makeIterator()
        guard case .scalarValue(let scalar) = decoder.decode(&iterator) else { return nil }
        return scalar
    }

    // MARK: Parsing

    private struct Parser {
        private let text: [Unicode.Scalar]
        private var position = 0

        init(_ text: [Unicode.Scalar]) { self.text = text }

        private var next: Unicode.Scalar? { position < text.count ? text[position] : nil }

        mutating func elements() -> [Element] {
            var elements: [Element] = []
            while let scalar = next {
                position += 1
                switch scalar {
                case "*": if elements.last != .run { elements.append(.run) }
                case "?": elements.append(.any)
                case "[": elements.append(set() ?? .unit(scalar.value))
                case "\\":
                    elements.append(next.map { .unit($0.value) } ?? .never)
                    position += 1
                default: elements.append(.unit(scalar.value))
                }
            }
            return elements
        }

        /// The set that begins after a `[`.
        ///
        /// - Returns: `nil` if the set has no end. The position is then unchanged.
        private mutating func set() -> Element? {
            let start = position
            let isNegated = next == "!" || next == "^"
            if isNegated { position += 1 }
            var members: [Member] = []
            var isFirst = true
            while let scalar = next {
                if scalar == "]", !isFirst {
                    position += 1
                    return .set(members, isNegated: isNegated)
                }
                isFirst = false
                if scalar == "[", let named = characterClass() {
                    members.append(.named(named))
                } else if let member = range() {
                    members.append(member)
                }
            }
            position = start
            return nil
        }

        /// A name such as `[:digit:]`, if it is at the position.
        private mutating func characterClass() -> CharacterClass? {
            let rest = text[position...]
            guard rest.dropFirst().first == ":", let end = rest.dropFirst(2).firstIndex(of: ":"),
                end + 1 < text.count, text[end + 1] == "]",
                let named = CharacterClass(rawValue: String(String.UnicodeScalarView(text[(position + 2)..<end])))
            else { return nil }
            position = end + 2
            return named
        }

        /// One character or a range of them. A range from a later to an earlier character is empty: `nil`.
        private mutating func range() -> Member? {
            guard let first = character() else { return nil }
            guard next == "-", position + 1 < text.count, text[position + 1] != "]" else {
                return .range(first...first)
            }
            position += 1
            guard let last = character(), first <= last else { return nil }
            return .range(first...last)
        }

        private mutating func character() -> Unit? {
            if next == "\\" { position += 1 }
            defer { position += 1 }
            return next?.value
        }
    }
}

/// The classes of characters that a set may name.
private enum CharacterClass: String {
    case alnum
    case alpha
    case blank
    case cntrl
    case digit
    case graph
    case lower
    case print
    case punct
    case space
    case upper
    case xdigit

    func contains(_ scalar: Unicode.Scalar) -> Bool {
        let properties = scalar.properties
        switch self {
        case .alnum: return properties.isAlphabetic || properties.numericType == .decimal
        case .alpha: return properties.isAlphabetic
        case .blank: return scalar == "\t" || properties.generalCategory == .spaceSeparator
        case .cntrl: return properties.generalCategory == .control
        case .digit: return ("0"..."9").contains(scalar)
        case .graph: return isShown(scalar) && !properties.isWhitespace
        case .lower: return properties.isLowercase
        case .print: return isShown(scalar)
        case .punct:
            return isShown(scalar) && !properties.isWhitespace && !properties.isAlphabetic
                && properties.numericType != .decimal
        case .space: return properties.isWhitespace
        case .upper: return properties.isUppercase
        case .xdigit: return properties.isASCIIHexDigit
        }
    }

    private func isShown(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .unassigned, .surrogate, .lineSeparator, .paragraphSeparator: false
        default: true
        }
    }
}
