import Testing

/// A violation of a rule, with advice.
struct Finding: Equatable, Sendable, CustomStringConvertible {
    let path: String

    /// Line number from 1, as in editors; `nil` for the whole file.
    let line: Int?
    let message: String

    var description: String { "\(path):\(line.map { "\($0):" } ?? "") \(message)" }
}

/// A formal rule for all Swift files, with samples that prove that the rule can fail.
struct Rule: Sendable, CustomTestStringConvertible {
    /// The rule as a sentence that is true for every file.
    let name: String

    /// Sample files, each of which violates the rule.
    let broken: [SourceFile]

    /// Sample files that resemble a violation but follow the rule.
    let followed: [SourceFile]

    /// Whether the rule applies to Markdown pages, too.
    var coversMarkdown = false

    let check: @Sendable (SourceFile) -> [Finding]

    var testDescription: String { name }

    static let all: [Rule] =
        [importRule, keyBytesRule] + forbiddenWordRules + idiomRules + [
            tabRule, lineLengthRule, fileLengthRule, functionLengthRule, folderNameRule, documentationRule,
        ]
}

extension SourceFile {
    /// A finding for each of the given lines, counted from 0, for which `message` returns text.
    func findings(in lines: some Sequence<Int>, _ message: (_ line: Int) -> String?) -> [Finding] {
        lines.compactMap { line in
            message(line).map { Finding(path: path, line: line + 1, message: $0) }
        }
    }
}
