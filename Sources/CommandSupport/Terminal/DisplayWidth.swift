/// Measures and shortens text by the columns that it takes on a terminal.
///
/// The widths are those of a table of our own (`WideScalars`). `wcwidth` of the C library knows no width at all before
/// the program has set a locale, depends on that locale, and has another version of Unicode on each system.
///
/// - A character of East Asian width *wide* or *full width* takes two columns, one of *ambiguous* width takes one.
/// - Combining marks and characters without a shape take none.
/// - An emoji sequence (joined emoji, flags, skin colours, keycaps, variation selector 16) takes two columns. Some
///   terminals show its parts side by side and need more. So `ProgressLines` forbids them to break lines of the board.
package enum DisplayWidth {
    /// Shown in place of the part of a text that is left out. It takes one column.
    package static let ellipsis = "…"

    private static let tabStop = 8

    /// The columns that a text of one line takes.
    ///
    /// - Parameter start: the column at which the text begins, from 0. Tabs lead to the next multiple of 8.
    package static func columns(of text: some StringProtocol, from start: Int = 0) -> Int {
        // Most names are ASCII. For them each byte is a character of one column.
        if text.utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) { return text.utf8.count }
        return text.reduce(start) { column, character in
            character == "\t" ? (column / tabStop + 1) * tabStop : column + columns(of: character)
        } - start
    }

    /// The columns that one character (grapheme cluster) takes. A tab counts as no column here, because its width
    /// depends on where it begins.
    package static func columns(of character: Character) -> Int {
        let scalars = character.unicodeScalars
        guard let first = scalars.first else { return 0 }
        if isEmojiSequence(first, scalars.dropFirst()) { return 2 }
        return scalars.reduce(0) { $0 + columns(of: $1) }
    }

    private static func columns(of scalar: Unicode.Scalar) -> Int {
        switch scalar.value {
        case 0x20..<0x7F: return 1
        case 0x1160...0x11FF: return 0  // Vowels and finals of Hangul combine with the consonant before them.
        case 0xAD: return 1  // Terminals show a soft hyphen.
        case 0x115F, 0x3164, 0xFFA0: return 0  // Hangul fillers have no shape.
        default: break
        }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .control, .format, .lineSeparator, .paragraphSeparator, .surrogate:
            return 0
        default:
            return isWide(scalar.value) ? 2 : 1
        }
    }

    /// Whether a character is shown as one emoji, although it consists of several scalars.
    private static func isEmojiSequence(
        _ first: Unicode.Scalar, _ rest: Substring.UnicodeScalarView
    ) -> Bool {
        guard first.properties.isEmoji else { return false }
        return rest.contains { scalar in
            switch scalar.value {
            case 0x200D, 0xFE0F, 0x1F1E6...0x1F1FF, 0x1F3FB...0x1F3FF: true
            default: false
            }
        }
    }

    private static func isWide(_ value: UInt32) -> Bool {
        let ranges = WideScalars.ranges
        var (low, high) = (0, ranges.count)
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < value { low = middle + 1 } else { high = middle }
        }
        return low < ranges.count && ranges[low].contains(value)
    }

    // MARK: Shortening

    /// The text, with its middle replaced by an ellipsis if it takes more than this many columns. Names of many files
    /// often differ only at the start or only at the end.
    package static func shortened(_ text: String, to limit: Int) -> String {
        guard columns(of: text) > limit else { return text }
        guard limit > 1 else { return limit == 1 ? ellipsis : "" }
        let end = suffix(of: text, (limit - 1) / 2 + (limit - 1) % 2)
        // A wide character may leave a column of the end unused. The start then takes it.
        return prefix(of: text, limit - 1 - columns(of: end)) + ellipsis + end
    }

    /// The start of the text, with an ellipsis in place of the rest if the text takes more than this many columns.
    package static func cut(_ text: String, to limit: Int) -> String {
        guard columns(of: text) > limit else { return text }
        return limit > 0 ? prefix(of: text, limit - 1) + ellipsis : ""
    }

    /// The text and spaces, so that both take this many columns. A text that takes more stays as it is.
    package static func padded(_ text: String, to width: Int, _ alignment: Alignment = .left) -> String {
        let spaces = String(repeating: " ", count: max(width - columns(of: text), 0))
        return alignment == .left ? text + spaces : spaces + text
    }

    /// On which side of its column a text stands.
    package enum Alignment: Sendable {
        case left
        case right
    }

    private static func prefix(of text: String, _ limit: Int) -> Substring {
        var column = 0
        return text.prefix { character in
            column += character == "\t" ? tabStop : columns(of: character)
            return column <= limit
        }
    }

    private static func suffix(of text: String, _ limit: Int) -> Substring {
        var (column, start) = (0, text.endIndex)
        while start > text.startIndex {
            let before = text.index(before: start)
            column += text[before] == "\t" ? tabStop : columns(of: text[before])
            guard column <= limit else { break }
            start = before
        }
        return text[start...]
    }
}
