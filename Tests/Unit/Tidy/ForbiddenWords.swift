/// A word that must not appear in code, with advice on what to write instead.
struct ForbiddenWord: Sendable {
    let name: String

    /// Every violating line of code contains at least one of these words.
    let words: Set<String>

    /// Decides whether a line with such a word is a violation.
    var pattern: @Sendable (String) -> Bool = { _ in true }
    let instead: String

    /// Whether the rule applies to a file; by default it applies to every file.
    var scope: @Sendable (SourceFile) -> Bool = { _ in true }

    /// Whether a comment with the reason, on the same line or directly above, allows the word.
    var isAllowedWithReason = false

    let broken: [SourceFile]
    let followed: [SourceFile]
}

private let inSources: @Sendable (SourceFile) -> Bool = { !$0.isTest }
private let inCore: @Sendable (SourceFile) -> Bool = {
    $0.path.hasPrefix("Sources/TransferCore/") || $0.path.hasPrefix("Sources/FolderCore/")
}

/// In a file with a parameter named `print`, a call of this parameter looks like printing.
private let inSourcesThatPrint: @Sendable (SourceFile) -> Bool = { file in
    !file.isTest && !file.lines(with: ["print"]).contains { file.code[$0].contains(/\bprint:/) }
}

/// Tests wait for observable events. Only the implementation of waiting itself may sleep.
private let inTestsThatWait: @Sendable (SourceFile) -> Bool = {
    $0.isTest && $0.path != "Tests/Support/TestSupport/Deadline.swift"
}

private let forbiddenWords: [ForbiddenWord] = [
    ForbiddenWord(
        name: "try!", words: ["try"],
        pattern: { $0.contains(/\btry!/) },
        instead: "throw the error, or #require in tests: an error must not end the process",
        broken: [sample("Sources/A/B.swift", "let x = try! f()"), sample("Tests/A/B.swift", "try! f()")],
        followed: [sample("Sources/A/B.swift", "// Not try! f()\nlet x = try f()\nlet s = \"try!\"")]),
    ForbiddenWord(
        name: "as!", words: ["as"],
        pattern: { $0.contains(/\bas!/) },
        instead: "use as? and handle the other case",
        broken: [sample("Sources/A/B.swift", "let x = y as! Int")],
        followed: [sample("Sources/A/B.swift", "let x = y as? Int")]),
    ForbiddenWord(
        name: "fatalError", words: ["fatalError"],
        instead: "throw an error with a code; for a mistake of our own that no input can cause, use precondition",
        broken: [
            sample("Sources/A/B.swift", "default: fatalError()"), sample("Tests/A/B.swift", "fatalError(\"no\")"),
        ],
        followed: [sample("Sources/A/B.swift", "precondition(x > 0)\nlet fatalErrorCode = 1")]),
    ForbiddenWord(
        name: "print", words: ["print", "debugPrint", "dump", "NSLog"],
        pattern: { $0.contains(/(^|[^.\w])(debugPrint|print|dump|NSLog)\(/) },
        instead: "in a program, print through Output, which survives a closed or full output; in a library, log with "
            + "the logger that was handed in, or return the text to the program",
        scope: inSourcesThatPrint,
        broken: [
            sample("Sources/sluice-agent/B.swift", "print(x)"),
            sample("Sources/AgentKit/B.swift", "print(x)"), sample("Sources/AgentKit/B.swift", "if a { dump(x) }"),
        ],
        followed: [
            sample("Sources/sluice-agent/B.swift", "Output.results.line(x)"),
            sample("Sources/AgentKit/B.swift", "printer.print(x)"),
            sample("Sources/AgentKit/B.swift", "let fingerprint = footprint(x)"),
            sample("Sources/AgentKit/B.swift", "func list(_ print: (String) -> Void) { print(x) }"),
        ]),
    ForbiddenWord(
        name: "standard outputs",
        words: [
            "standardOutput", "standardError", "fputs", "puts", "fwrite", "fprintf", "STDOUT_FILENO", "STDERR_FILENO",
        ],
        pattern: {
            // The patterns have no \b beside a dot: for Unicode, a dot between letters does not end a word.
            $0.contains(/FileHandle\.standard(Output|Error)|standard(Output|Error)\(label:/)
                || $0.contains(/\b(fputs|puts|fwrite|fprintf)\(|\bwrite\(STD(OUT|ERR)_FILENO/)
        },
        instead: "print through Output: Foundation ends the process if a write fails, and stdio hides the failure",
        scope: inSources,
        broken: [
            sample("Sources/sluice-agent/B.swift", "FileHandle.standardError.write(data)"),
            sample("Sources/CommandSupport/B.swift", "let out = FileHandle.standardOutput"),
            sample("Sources/CommandSupport/B.swift", "StreamLogHandler.standardError(label: name)"),
            sample("Sources/sluice-agent/B.swift", "fputs(text, stderr)"),
            sample("Sources/AgentKit/B.swift", "write(STDERR_FILENO, bytes, count)"),
        ],
        followed: [
            sample("Sources/sluice-agent/B.swift", "Output.notices.line(text)"),
            sample("Sources/sluice-agent/B.swift", "let isTerminal = isatty(STDOUT_FILENO) == 1"),
            sample("Sources/AgentKit/B.swift", "let handle = FileHandle(fileDescriptor: end)"),
            sample("Tests/A/B.swift", "FileHandle.standardError.write(data)"),
        ]),
    ForbiddenWord(
        name: "unchecked Sendable", words: ["unchecked", "nonisolated"],
        pattern: { $0.contains(/@unchecked\s+Sendable|nonisolated\(unsafe\)/) },
        instead: "use Mutex, an actor or a value; where it must be, name the invariant that makes it true right above",
        isAllowedWithReason: true,
        broken: [
            sample("Sources/A/B.swift", "final class C: @unchecked Sendable {}"),
            sample("Sources/A/B.swift", "// Old news.\n\nnonisolated(unsafe) var x = 1"),
        ],
        followed: [sample("Sources/A/B.swift", "/// Never changes once made.\nfinal class C: @unchecked Sendable {}")]),
    ForbiddenWord(
        name: "try?", words: ["try"],
        pattern: { $0.contains(/\btry\?/) },
        instead: "handle the error, or name in a comment the reason why it does not matter", isAllowedWithReason: true,
        broken: [sample("Sources/A/B.swift", "try? f()"), sample("Tests/A/B.swift", "let a = 1\nlet x = try? f()")],
        followed: [
            sample("Sources/A/B.swift", "// The file may be gone already.\ntry? remove(file)"),
            sample("Sources/A/B.swift", "try? remove(file)  // It may be gone already."),
        ]),
    ForbiddenWord(
        name: "blocking", words: ["DispatchSemaphore", "DispatchGroup", "NSLock", "NSCondition", "NSRecursiveLock"],
        instead: "use Mutex from Synchronization to guard, and async functions to wait",
        broken: [
            sample("Sources/A/B.swift", "let s = DispatchSemaphore(value: 0)"), sample("Tests/A/B.swift", "NSLock()"),
        ],
        followed: [sample("Sources/A/B.swift", "let m = Mutex(0)")]),
    ForbiddenWord(
        name: "blocking wait", words: ["wait"],
        pattern: { $0.contains(/\.wait\(\)/) },
        instead: "await the future's get(): a waiting thread is missing elsewhere", scope: inSources,
        broken: [sample("Sources/A/B.swift", "let c = try bootstrap.bind().wait()")],
        followed: [sample("Sources/A/B.swift", "let c = try await bootstrap.bind().get()")]),
    ForbiddenWord(
        name: "clock in the core", words: ["now", "Date", "Clock"],
        pattern: { $0.contains(/(^|[^\w)\]?])\.now\b|\b[A-Z]\w*\.now\b|\bDate\(|\bClock\b/) },
        instead: "take the time as `now:` from the caller", scope: inCore,
        broken: [
            sample("Sources/TransferCore/A.swift", "let t = ContinuousClock.now"),
            sample("Sources/FolderCore/A.swift", "f(now: .now)"), sample("Sources/TransferCore/A.swift", "Date()"),
        ],
        followed: [sample("Sources/TransferCore/A.swift", "deadline = context.now + delay")]),
    ForbiddenWord(
        name: "task in the core", words: ["Task", "async", "await", "actor"],
        instead: "return an action for the shell to perform", scope: inCore,
        broken: [
            sample("Sources/TransferCore/A.swift", "Task { f() }"),
            sample("Sources/TransferCore/A.swift", "func f() async {}"),
        ],
        followed: [sample("Sources/TransferCore/A.swift", "enum TaskKind { case task }")]),
    ForbiddenWord(
        name: "own randomness", words: ["SystemRandomNumberGenerator", "random", "shuffled", "randomElement"],
        pattern: { code in
            code.contains(/\bSystemRandomNumberGenerator\b/)
                || code.contains(/\.(random\(in:|shuffled\(|randomElement\()/) && !code.contains(/using:/)
        },
        instead: "take a generator from the caller and pass it with `using:`", scope: inCore,
        broken: [
            sample("Sources/TransferCore/A.swift", "let x = Int.random(in: 0..<9)"),
            sample("Sources/TransferCore/A.swift", "var g = SystemRandomNumberGenerator()"),
        ],
        followed: [sample("Sources/TransferCore/A.swift", "let x = Int.random(in: 0..<9, using: &generator)")]),
    ForbiddenWord(
        name: "sleeping in tests", words: ["sleep", "usleep", "nanosleep"],
        pattern: { $0.contains(/\.sleep\(|\b(usleep|nanosleep)\(/) },
        instead:
            "wait for what you want to see (Watched, FaultProxy.wait, Program.waitForLine), or say why nothing tells",
        scope: inTestsThatWait, isAllowedWithReason: true,
        broken: [sample("Tests/Unit/AgentKit/A.swift", "try await Task.sleep(for: .seconds(1))")],
        followed: [
            sample("Sources/AgentKit/A.swift", "try await Task.sleep(for: .seconds(1))"),
            sample("Tests/Support/TestSupport/Deadline.swift", "try await Task.sleep(for: limit)"),
            sample("Tests/ATests/A.swift", "// The server does not say when.\ntry await Task.sleep(for: pause)"),
        ]),
]

let forbiddenWordRules: [Rule] = forbiddenWords.map { word in
    Rule(
        name: "No \(word.name)" + (word.isAllowedWithReason ? " without its reason" : ""),
        broken: word.broken, followed: word.followed,
        check: { file in
            guard word.scope(file) else { return [] }
            return file.findings(in: file.lines(with: word.words)) { line in
                guard word.pattern(file.code[line]), !(word.isAllowedWithReason && file.isExplained(line: line)) else {
                    return nil
                }
                return "\(word.name): \(word.instead)"
            }
        })
}
