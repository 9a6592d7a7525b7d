import Testing

/// A place that does not follow a rule, and what to do about it.
struct Finding: Equatable, Sendable, CustomStringConvertible {
    let path: String

    /// From 1, as editors count, or `nil` where the whole file is meant.
    let line: Int?
    let message: String

    var description: String { "\(path):\(line.map { "\($0):" } ?? "") \(message)" }
}

/// A rule of form that the sources follow, with a sample that shows it able to fail.
struct Rule: Sendable, CustomTestStringConvertible {
    /// A sentence that holds for every file.
    let name: String

    /// Sources that break the rule, each of them once.
    let broken: [SourceFile]

    /// Sources that come close and follow it.
    let followed: [SourceFile]

    let check: @Sendable (SourceFile) -> [Finding]

    var testDescription: String { name }

    static let all: [Rule] =
        [importRule, keyBytesRule] + forbiddenWordRules + [
            tabRule, lineLengthRule, fileLengthRule, functionLengthRule, folderNameRule, documentationRule,
        ]
}

extension SourceFile {
    /// A finding for each of the given lines, from 0, that `message` says something about.
    func findings(in lines: some Sequence<Int>, _ message: (_ line: Int) -> String?) -> [Finding] {
        lines.compactMap { line in
            message(line).map { Finding(path: path, line: line + 1, message: $0) }
        }
    }
}
