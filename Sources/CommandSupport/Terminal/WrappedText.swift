/// Sentences in lines that fit a terminal.
package enum WrappedText {
    /// Indent of a continuation line where there is no room for more.
    private static let indentMin = 2
    /// Narrower terminals have no room for a wide indent.
    private static let wideColumns = 60

    /// The text in lines that take at most `width` columns, broken at spaces. A single word that is longer, such as a
    /// fingerprint, stands whole on a line of its own: the terminal breaks it, and a user can still copy it in one
    /// piece.
    ///
    /// - Parameter indent: columns before each line but the first.
    package static func lines(_ text: String, width: Int, indent: Int = 0) -> [String] {
        guard DisplayWidth.columns(of: text) > width else { return [text] }
        let indent = width < wideColumns ? min(indent, indentMin) : indent
        var (lines, line): ([String], String) = ([], "")
        for (spaces, word) in words(of: text) {
            let longer = line + spaces + word
            if lines.isEmpty && line.isEmpty || DisplayWidth.columns(of: longer) <= width {
                line = longer
                continue
            }
            lines.append(line)
            let isWide = indent + DisplayWidth.columns(of: word) > width
            line = String(repeating: " ", count: isWide ? min(indent, indentMin) : indent) + word
        }
        return lines + [line]
    }

    /// The words with the spaces before each.
    private static func words(of text: String) -> [(spaces: String, word: String)] {
        var words: [(spaces: String, word: String)] = []
        var rest = text[...]
        while !rest.isEmpty {
            let spaces = rest.prefix { $0 == " " }
            let word = rest[spaces.endIndex...].prefix { $0 != " " }
            words.append((String(spaces), String(word)))
            rest = rest[word.endIndex...]
        }
        return words
    }
}
