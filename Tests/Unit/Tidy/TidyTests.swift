import Testing

/// Applies the formal rules to every Swift file of the repository, and some rules to every Markdown page. A finding
/// includes advice.
@Suite struct TidyTests {
    @Test(arguments: Rule.all) func everyFileFollowsTheRules(_ rule: Rule) {
        for finding in (repositoryFiles + (rule.coversMarkdown ? markdownFiles : [])).flatMap(rule.check) {
            Issue.record("\(finding)")
        }
    }

    /// The samples that violate a rule show that the rule can fail.
    @Test(arguments: Rule.all) func findsViolations(_ rule: Rule) {
        #expect(!rule.broken.isEmpty)
        for file in rule.broken {
            #expect(rule.check(file).count >= 1, "\(file.path): \(file.lines.joined(separator: "\n").prefix(200))")
        }
    }

    @Test(arguments: Rule.all) func acceptsFollowingCode(_ rule: Rule) {
        #expect(!rule.followed.isEmpty)
        for file in rule.followed {
            #expect(rule.check(file) == [])
        }
    }

    @Test func readsTheRepositoryItself() {
        let paths = repositoryFiles.map(\.path)
        #expect(paths.contains("Sources/TransferCommon/Sessions/Identifiers.swift"))
        #expect(paths.contains("Tests/Unit/Tidy/TidyTests.swift"))
        let pages = markdownFiles.map(\.path)
        #expect(pages.contains("README.md") && pages.contains("Protocol/specification.md"))
    }

    @Test func noTypeIsLongerThan400LinesExtensionsIncluded() {
        for type in longTypes(in: repositoryFiles) {
            Issue.record("\(type)")
        }
    }

    /// Source texts of one target, and the number of lines of the type `A` if it is too long.
    static let types: [(texts: [String], lineCount: Int?)] = [
        ([declaration("struct A", 400)], nil),
        ([declaration("struct A", 401)], 401),
        ([declaration("@frozen package final class A<B>: C where B: D", 401)], 401),
        ([declaration("struct A", 200), declaration("extension A: B", 200)], nil),
        ([declaration("struct A", 200), declaration("extension A: B", 201)], 401),
        ([declaration("struct A", 200) + declaration("extension A", 100) + declaration("extension A", 101)], 401),
        ([declaration("enum A", 300), declaration("package extension A.B", 101)], 401),
        ([declaration("struct A", 300) + declaration("private struct B", 300)], nil),
        ([declaration("extension A", 399) + "extension A: B {}\n" + "extension A: C {}\n"], 401),
        ([declaration("struct A", 399) + "extension A: B {}\n" + declaration("struct B", 9)], nil),
        (["struct A {\n    let text = \"\"\"\n}\n" + declaration("        \"\"\"", 399)], 402),
        (["/*\n" + declaration("struct A", 401) + "*/\n"], nil),
    ]

    @Test(arguments: types) func countsTheLinesOfATypeAndOfItsExtensions(texts: [String], lineCount: Int?) {
        let files = texts.map { sample("Sources/Target/File.swift", $0) }
        #expect(
            longTypes(in: files)
                == (lineCount.map { [TypeLength(target: "Target", type: "A", lineCount: $0)] } ?? []))
    }

    @Test func countsATypeInEachTargetOfTheSources() {
        let (declared, extended) = (Self.declaration("struct A", 300), Self.declaration("extension A", 300))
        #expect(longTypes(in: [sample("Sources/B/A.swift", declared), sample("Sources/C/A.swift", extended)]) == [])
        #expect(longTypes(in: [sample("Tests/B/A.swift", declared), sample("Tests/B/A+C.swift", extended)]) == [])
    }

    private static func declaration(_ start: String, _ lineCount: Int) -> String {
        "\(start) {\n" + String(repeating: "    // Text.\n", count: lineCount - 2) + "}\n"
    }

    @Test func programsAreShort() {
        for program in ["sluice-agent", "sluice-gateway"] {
            for file in repositoryFiles
            where file.path.hasPrefix("Sources/\(program)/") && !file.path.hasPrefix("Sources/\(program)/Output/") {
                let count = programLineCount([file])
                #expect(
                    count <= ShapeLimit.programLines,
                    "\(file.path) has more than \(ShapeLimit.programLines) lines: move code to the Kit or to Output")
            }
        }
        #expect(
            programLineCount([sample("Sources/sluice-agent/A.swift", String(repeating: "f()\n", count: 151))]) == 151)
    }

    @Test func theListOfLongFilesIsUpToDate() {
        for (path, reason) in ShapeLimit.longFiles {
            #expect(!reason.isEmpty)
            let file = repositoryFiles.first { $0.path == path }
            #expect((file?.lines.count ?? 0) > ShapeLimit.fileLines, "\(path) needs no place in the list any more")
        }
    }

    private func programLineCount(_ files: [SourceFile]) -> Int {
        files.reduce(0) { $0 + $1.lines.count - ($1.lines.last == "" ? 1 : 0) }
    }
}

/// Tests of the reader that all rules use.
@Suite struct SourceFileTests {
    static let blanked: [(text: String, code: String)] = [
        ("let x = 1 // try!", "let x = 1        "),
        ("a /* b /* c */ d */ e", "a                   e"),
        ("f(\"try! // x\") // y", "f(\"         \")     "),
        ("f(#\"a\"b\"#)", "f(#\"   \"#)"),
        ("f(\"\\(g(\"x)\")) y\")", "f(\"            \")"),
        ("f(\"a\\\"b\")", "f(\"    \")"),
        ("\"\"\"\nf() \" //\n\"\"\" g()", "\"\"\"\n        \n\"\"\" g()"),
        ("/// \"\nlet x", "     \nlet x"),
        ("let unfinished = \"a\nlet x", "let unfinished = \" \nlet x"),
    ]

    @Test(arguments: blanked) func blanksCommentsAndStrings(text: String, code: String) {
        #expect(sample("A.swift", text).code.joined(separator: "\n") == code)
    }

    @Test func findsTheWordsOfComments() {
        let swift = sample("A.swift", "let a = \"// no\"  // It's one.\n/* two\n\nthree */ f()\n\"\"\"\n// no\n\"\"\"")
        #expect(swift.prose.map(\.text) == ["it's", "one", ".", "two", ".", "three", ".", ".", "."])
        #expect(swift.prose.map(\.line) == [0, 0, 0, 1, 2, 3, 4, 5, 6])
        let page = sample("a.md", "# One\n\nTwo `three`, (four)")
        #expect(page.prose.map(\.text) == ["one", ".", "two", "three", ",", "(", "four", ")"])
    }

    @Test func findsImports() {
        let file = sample(
            "Sources/A/B.swift",
            "import A\npackage import B\n@testable import C\n  import struct D.E\n// import F\nlet s = \"import G\"")
        #expect(file.imports.map(\.module) == ["A", "B", "C", "D"])
        #expect(file.imports.map(\.line) == [0, 1, 2, 3])
    }
}

/// A source file that exists only within a test.
func sample(_ path: String, _ text: String) -> SourceFile {
    SourceFile(path: path, text: text)
}
