import Foundation
import Testing

/// A Swift file or a Markdown page for the rules: its text, its code without comments and string contents, and the
/// words of its prose.
///
/// The reader scans characters and does not parse Swift. It recognises comments, also nested ones, and all kinds of
/// string literals. Code inside an interpolation counts as string content.
struct SourceFile: Sendable, CustomTestStringConvertible {
    /// Path relative to the root of the repository, with slashes.
    let path: String

    /// The lines of the file as written, without line feeds.
    let lines: [String]

    /// The lines of the file, with a space in the place of each character of a comment or of a string's content.
    let code: [String]

    /// The words in each line of code, by which rules select cheaply the lines that they examine.
    private let words: [Set<String>]

    /// The words of the comments of a Swift file, or all words of a Markdown page.
    let prose: [ProseWord]

    init(path: String, text: String) {
        self.path = path
        self.lines = text.components(separatedBy: "\n")
        let read = CodeReader.read(text)
        self.code = read.code.components(separatedBy: "\n")
        self.prose = ProseWord.words(of: path.hasSuffix(".md") ? lines : read.comments.components(separatedBy: "\n"))
        self.words = code.map { line in
            let words = line.utf8.split { byte in
                !(UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20 || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte)
                    && byte != UInt8(ascii: "_") && byte < 0x80
            }
            return Set(words.map { String(decoding: $0, as: UTF8.self) })
        }
    }

    var testDescription: String { path }

    /// The folder below `Sources` or `Tests` that contains the file.
    var target: String {
        path.split(separator: "/").dropFirst().first.map(String.init) ?? ""
    }

    /// Whether the file is a test. Examples count as tests, because they may import the modules that they demonstrate.
    var isTest: Bool { path.hasPrefix("Tests/") || path.hasPrefix("Examples/") }

    /// The modules that the file imports, each with its line, counted from 0.
    var imports: [(module: String, line: Int)] {
        let pattern = /\bimport\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias)\s+)?(\w+)/
        return lines(with: ["import"]).compactMap { line in
            code[line].firstMatch(of: pattern).map { (String($0.1), line) }
        }
    }

    /// The lines, counted from 0, whose code contains one of the words.
    func lines(with wanted: Set<String>) -> [Int] {
        words.indices.filter { !words[$0].isDisjoint(with: wanted) }
    }

    /// Whether a comment explains a line: on the line itself, or directly above it.
    func isExplained(line: Int) -> Bool {
        hasComment(line: line) || (line > 0 && isOnlyComment(line: line - 1))
    }

    /// Whether a line contains only a comment.
    func isOnlyComment(line: Int) -> Bool {
        hasComment(line: line) && code[line].allSatisfy(\.isWhitespace)
    }

    private func hasComment(line: Int) -> Bool {
        // The reader replaces the opening characters of a comment by spaces, but keeps the quotation marks of a string.
        // So a slash that became a space belongs to a comment.
        zip(lines[line], code[line]).contains { $0 == "/" && $1 == " " } && lines[line].contains(/\/\/|\/\*|\*\//)
    }
}

/// Replaces each character of a comment or string, which may be several bytes, by one space. Collects the comments.
private struct CodeReader {
    private let text: [UInt8]
    private var code: [UInt8] = []

    /// The comments without the code between them, each in the line that it has in the text.
    private var comments: [UInt8] = []
    private var position = 0

    private init(text: String) {
        self.text = Array(text.utf8)
        code.reserveCapacity(self.text.count)
    }

    static func read(_ text: String) -> (code: String, comments: String) {
        var reader = CodeReader(text: text)
        reader.readAll()
        return (String(decoding: reader.code, as: UTF8.self), String(decoding: reader.comments, as: UTF8.self))
    }

    private mutating func readAll() {
        while position < text.count {
            if isNext("//") {
                while position < text.count, text[position] != UInt8(ascii: "\n") { blankComment(1) }
            } else if isNext("/*") {
                readBlockComment()
            } else if let pounds = poundsOfString() {
                readString(pounds: pounds)
            } else {
                keep(1)
            }
        }
    }

    private mutating func readBlockComment() {
        var depth = 0
        repeat {
            if isNext("/*") {
                depth += 1
                blankComment(2)
            } else if isNext("*/") {
                depth -= 1
                blankComment(2)
            } else {
                blankComment(1)
            }
        } while depth > 0 && position < text.count
    }

    /// Number of `#` before the quotation mark if a string literal starts here; otherwise `nil`.
    private func poundsOfString() -> Int? {
        guard text[position] == UInt8(ascii: "#") || text[position] == UInt8(ascii: "\"") else { return nil }
        let pounds = text[position...].prefix { $0 == UInt8(ascii: "#") }.count
        return position + pounds < text.count && text[position + pounds] == UInt8(ascii: "\"") ? pounds : nil
    }

    private mutating func readString(pounds: Int) {
        keep(pounds)
        let isMultiline = isNext("\"\"\"")
        let quotes = isMultiline ? "\"\"\"" : "\""
        keep(quotes.utf8.count)
        let closing = quotes + String(repeating: "#", count: pounds)
        let escape = "\\" + String(repeating: "#", count: pounds)
        while position < text.count, !isNext(closing) {
            if isNext(escape + "(") {
                blank(escape.utf8.count)
                readInterpolation()
            } else if isNext(escape) {
                blank(escape.utf8.count + 1)
            } else if !isMultiline, text[position] == UInt8(ascii: "\n") {
                // The line ends, but the literal does not: this was no literal, or the code is invalid.
                return
            } else {
                blank(1)
            }
        }
        keep(closing.utf8.count)
    }

    private mutating func readInterpolation() {
        var depth = 0
        repeat {
            if text[position] == UInt8(ascii: "\"") {
                let start = code.count
                readString(pounds: 0)
                for index in start..<code.count where code[index] != UInt8(ascii: "\n") {
                    code[index] = UInt8(ascii: " ")
                }
                continue
            }
            if text[position] == UInt8(ascii: "(") { depth += 1 }
            if text[position] == UInt8(ascii: ")") { depth -= 1 }
            blank(1)
        } while depth > 0 && position < text.count
    }

    private func isNext(_ word: String) -> Bool {
        text[position...].starts(with: word.utf8)
    }

    private mutating func keep(_ count: Int) {
        let end = min(position + count, text.count)
        for byte in text[position..<end] {
            code.append(byte)
            if byte == UInt8(ascii: "\n") { comments.append(byte) }
        }
        position = end
    }

    private mutating func blankComment(_ count: Int) {
        // Skip line feeds here, because `blank` adds them.
        for byte in text[position..<min(position + count, text.count)] where byte != UInt8(ascii: "\n") {
            comments.append(byte)
        }
        blank(count)
    }

    private mutating func blank(_ count: Int) {
        let end = min(position + count, text.count)
        for byte in text[position..<end] where byte & 0xC0 != 0x80 {
            code.append(byte == UInt8(ascii: "\n") ? byte : UInt8(ascii: " "))
            if byte == UInt8(ascii: "\n") { comments.append(byte) }
        }
        position = end
    }
}
