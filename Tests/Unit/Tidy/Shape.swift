/// Maximum sizes of files, types, functions and lines.
enum ShapeLimit {
    static let lineCharacters = 120
    static let functionLines = 70
    static let fileLines = 400

    /// Maximum length of a type of `Sources`, extensions included.
    static let typeLines = 400

    /// Maximum length of a file in `longFiles`.
    static let listedFileLines = 800

    /// Maximum for files of the two programs, which only parse arguments and call their Kit. Files in the folder
    /// `Output`, which print results, have the normal maximum.
    static let programLines = 150

    /// Files that may be longer than `fileLines`, each with the reason.
    static let longFiles: [String: String] = [:]

    /// Files whose functions may be longer than `functionLines`, each with the reason.
    static let longFunctions = [
        "Tests/Unit/TransferCore/TranscriptTests.swift": "a transcript is one course of events, read from top to bottom"
    ]
}

let tabRule = Rule(
    name: "No tabs",
    broken: [sample("Sources/A/B.swift", "\tlet x = 1")],
    followed: [sample("Sources/A/B.swift", "let tab = \"\\t\"")],
    check: { file in
        file.findings(in: file.lines.indices) { line in
            file.lines[line].utf8.contains(UInt8(ascii: "\t")) ? "a tab: indent with four spaces" : nil
        }
    })

let lineLengthRule = Rule(
    name: "No line is longer than \(ShapeLimit.lineCharacters) characters",
    broken: [
        sample("Sources/A/B.swift", "// " + String(repeating: "x", count: 118)),
        sample("Sources/A/B.swift", "let x = \"" + String(repeating: "x", count: 112) + "\""),
    ],
    followed: [
        sample("Sources/A/B.swift", "// " + String(repeating: "x", count: 117)),
        sample("Sources/A/B.swift", "// https://example.org/" + String(repeating: "x", count: 117)),
    ],
    check: { file in
        file.findings(in: file.lines.indices) { line in
            let text = file.lines[line]
            guard text.utf8.count > ShapeLimit.lineCharacters, text.count > ShapeLimit.lineCharacters,
                !text.contains(/^\s*\/\/+ \S*:\/\/\S+$/)
            else { return nil }
            return
                "\(text.count) characters: break the line at \(ShapeLimit.lineCharacters) (make format breaks code)"
        }
    })

let fileLengthRule = Rule(
    name: "No file is longer than \(ShapeLimit.fileLines) lines, unless listed with its reason",
    broken: [
        sample("Sources/A/B.swift", String(repeating: "\n", count: 401)),
        sample("Tests/A/B.swift", String(repeating: "let x = 1\n", count: 1000)),
    ],
    followed: [sample("Sources/A/B.swift", String(repeating: "\n", count: 400))],
    check: { file in
        // The line feed at the end of a file starts no further line.
        let count = file.lines.last == "" ? file.lines.count - 1 : file.lines.count
        let limit = ShapeLimit.longFiles[file.path] == nil ? ShapeLimit.fileLines : ShapeLimit.listedFileLines
        guard count > limit else { return [] }
        return [
            Finding(
                path: file.path, line: nil,
                message: "\(count) lines, more than \(limit): split it at a seam of the protocol, as Type+Aspect.swift")
        ]
    })

let functionLengthRule = Rule(
    name: "No function is longer than \(ShapeLimit.functionLines) lines",
    broken: [
        sample("Sources/A/B.swift", "func f() {\n" + String(repeating: "    g()\n", count: 69) + "}"),
        sample("Sources/A/B.swift", "init(\n    x: Int\n) {\n" + String(repeating: "    g { }\n", count: 67) + "}"),
        sample("Tests/A/B.swift", "@Test func f() async {\n" + String(repeating: "    g()\n", count: 80) + "}"),
    ],
    followed: [
        sample("Sources/A/B.swift", "func f() {\n" + String(repeating: "    g()\n", count: 68) + "}"),
        sample(
            "Sources/A/B.swift",
            "protocol P {\n    func f()\n" + String(repeating: "    var x: Int { get }\n", count: 90) + "}"),
        sample(
            "Sources/A/B.swift",
            String(repeating: "func f() {\n" + String(repeating: "    g()\n", count: 40) + "}\n", count: 5)),
    ],
    check: { file in
        functions(in: file).compactMap { function in
            guard function.lineCount > ShapeLimit.functionLines, ShapeLimit.longFunctions[file.path] == nil else {
                return nil
            }
            return Finding(
                path: file.path, line: function.line + 1,
                message: "a function of \(function.lineCount) lines, more than \(ShapeLimit.functionLines): "
                    + "give a part of it a name of its own")
        }
    })

let folderNameRule = Rule(
    name: "No folder is called after nothing",
    broken: [
        sample("Sources/A/New/B.swift", ""), sample("Sources/A/Misc/B.swift", ""), sample("Sources/Utils/B.swift", ""),
    ],
    followed: [sample("Sources/A/News.swift", ""), sample("Sources/A/Shared/B.swift", "")],
    check: { file in
        let names = file.path.split(separator: "/").dropLast()
        guard
            let name = names.first(where: {
                ["new", "misc", "util", "utils", "helpers", "common"].contains($0.lowercased())
            })
        else { return [] }
        return [
            Finding(
                path: file.path, line: nil,
                message: "a folder called \(name): call it after what the files in it are about")
        ]
    })

/// A body begins at the first brace outside parentheses. A declaration without a body, as in a protocol, ends with its
/// line.
///
/// - Returns: for each function with a body, the line of its keyword, and the number of lines to the closing brace.
private func functions(in file: SourceFile) -> [(line: Int, lineCount: Int)] {
    let start = /^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:[a-z]+(?:\(\w+\))?\s+)*(?:func\b|init[?(<]|deinit\b|subscript[(<])/
    return file.lines(with: ["func", "init", "deinit", "subscript"]).compactMap { line in
        guard file.code[line].contains(start), let end = endOfBody(in: file.code, from: line) else { return nil }
        return (line, end - line + 1)
    }
}

private func endOfBody(in code: [String], from start: Int) -> Int? {
    var (parentheses, braces) = (0, 0)
    for line in start..<code.count {
        for character in code[line] {
            switch character {
            case "(", "[": parentheses += 1
            case ")", "]": parentheses -= 1
            case "{" where parentheses == 0 || braces > 0: braces += 1
            case "}" where braces > 0:
                braces -= 1
                if braces == 0 { return line }
            case "}" where parentheses == 0: return nil
            default: break
            }
        }
        // Most lines end inside the parentheses or the body of a declaration. Skip these lines here, because the
        // regular expression below takes longer than all other work on a line.
        guard parentheses == 0, braces == 0 else { continue }
        let goesOn = line + 1 < code.count && code[line + 1].contains(/^\s*(?:\{|where\b|->|throws\b|async\b|\))/)
        if !goesOn { return nil }
    }
    return nil
}
