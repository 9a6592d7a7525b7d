import AgentKit
import CommandSupport
import Synchronization
import Testing
import TransferCommon
import TransferCore
import WireProtocol
import sluice_agent

/// Tests of the progress output of a push, on a terminal and without one.
@Suite struct ProgressTextTests {
    private final class Screen: Sendable {
        private let text = Mutex("")
        /// What was written, without the sequences that keep lines from breaking.
        var all: String { raw.replacing(/\u{1B}\[\?7[lh]/, with: "") }
        var raw: String { text.withLock { $0 } }
        func write(_ piece: String) { text.withLock { $0 += piece } }

        /// Erases a board of so many rows.
        static func erasing(_ rows: Int) -> String {
            "\u{1B}[\(rows)A\r\u{1B}[K" + (rows > 1 ? "\u{1B}[B\u{1B}[J\u{1B}[A" : "")
        }

        let reader = Mutex(ProgressLines.Reader.idle)
        let size = Mutex(TerminalSize.usual)

        func lines(isTerminal: Bool, isVerbose: Bool = false) -> ProgressLines {
            ProgressLines(
                style: .text(isTerminal: isTerminal, isVerbose: isVerbose), terminal: { self.size.withLock { $0 } },
                reader: { self.reader.withLock { $0 } }
            ) { self.write($0) }
        }

        func json() -> ProgressLines {
            ProgressLines(style: .json, reader: { self.reader.withLock { $0 } }) { self.write($0) }
        }
    }

    private static func figures(_ stored: UInt64, of size: UInt64 = 1_000) -> UploadProgress {
        UploadProgress(size: size, storedBytes: stored, bytesSent: stored, bytesResumed: 0)
    }

    private static func part(_ number: UInt32, sent: UInt64, isStored: Bool = false) throws -> UploadEvent {
        .part(key: "k", number: try #require(PartNumber(number)), sent: sent, size: 500, isStored: isStored)
    }

    @Test func terminalShowsBarAndSums() throws {
        let screen = Screen()
        let lines = screen.lines(isTerminal: true)
        lines.observe(.file(key: "k", Self.figures(250)))
        #expect(screen.all.contains("k  [######------------------] 25 %  250 B stored of 1000 B"))
        #expect(screen.all.contains("0 of 1 files: 250 B stored, 0 B on the way"))
        lines.observe(try Self.part(1, sent: 500))
        lines.observe(.note(key: "k", "a note, so that it is drawn now"))
        #expect(screen.all.contains("k  [######============------] 25 %"), "\(screen.all)")
    }

    /// The user named two numbers that no upload has. Each gets a sentence of its own, and no list names empty files.
    @Test(arguments: [ProgressLines.Style.quiet, .text(isTerminal: false, isVerbose: false)])
    func failureWithoutFileIsASentence(style: ProgressLines.Style) {
        let screen = Screen()
        let told = Mutex([String]())
        let lines = ProgressLines(style: style, notices: { text in told.withLock { $0.append(text) } }) {
            screen.write($0)
        }
        var summary = RunSummary()
        let sentences = [8, 9].map { "there is no unfinished upload \($0); sluice-agent status lists them" }
        for sentence in sentences {
            let outcome = UploadOutcome.failed(UploadFailure(.missing, sentence))
            summary.add(outcome, Self.figures(0), path: "", key: "")
            lines.observe(.finished(path: "", key: "", outcome, Self.figures(0)))
        }
        lines.conclude(summary)
        #expect(told.withLock { $0 } == sentences)
        #expect(screen.all.isEmpty, "\(screen.all)")
    }

    /// If the store loses a part, the number of stored bytes decreases.
    @Test func percentageRisesUpTo100() {
        let screen = Screen()
        let lines = screen.lines(isTerminal: true)
        for stored in [500, 1_000, 300, 2_000] as [UInt64] {
            lines.observe(.file(key: "k", Self.figures(stored)))
            lines.observe(.note(key: "k", "drawn"))
        }
        let shown = screen.all.split(separator: "\n").compactMap { line in
            line.split(separator: "] ").dropFirst().first.flatMap { Int($0.prefix { $0.isNumber }) }
        }
        #expect(shown == shown.sorted() && shown.last == 100, "\(shown)")
    }

    /// The two keys show the same letter in different Unicode encodings, and `String` takes them for equal.
    @Test func lookalikeKeysHaveALineEach() {
        let screen = Screen()
        let lines = screen.lines(isTerminal: true)
        lines.observe(.file(key: "\u{E9}", Self.figures(250)))
        lines.observe(.file(key: "e\u{301}", Self.figures(500)))
        lines.observe(.note(key: "\u{E9}", "drawn"))
        #expect(screen.all.contains("0 of 2 files: 750 B stored"), "\(screen.all)")
    }

    @Test(arguments: [2, 10, 20, 30, 80, 200])
    func noLineOfTheBoardIsWiderThanTheTerminal(columns: Int) {
        let screen = Screen()
        screen.size.withLock { $0 = TerminalSize(columns: columns, rows: 24) }
        let lines = screen.lines(isTerminal: true)
        for end in ["end", "\u{6F22}", "\u{1F1E9}\u{1F1EA}"] {
            lines.observe(.file(key: String(repeating: "long/", count: 60) + end, Self.figures(10)))
        }
        let board = screen.all.split(separator: "\u{1B}[J\u{1B}[A").last ?? ""
        let widths = board.split(separator: "\n").map { DisplayWidth.columns(of: $0) }
        #expect(!widths.isEmpty && widths.allSatisfy { $0 < columns }, "\(widths)")
    }

    /// A walk notes what it leaves out. No event follows that would end a row of it.
    @Test func noteMakesNoRow() {
        let screen = Screen()
        let lines = screen.lines(isTerminal: true)
        lines.observe(.note(key: "left", "left out: the agent's home"))
        #expect(screen.all == "left: left out: the agent's home\n")
        lines.observe(.file(key: "k", Self.figures(250)))
        lines.observe(.note(key: "k", "drawn"))
        #expect(screen.all.contains("0 of 1 files"), "\(screen.all)")
    }

    /// A narrower terminal has broken the lines of the board, and each takes several rows.
    @Test func boardIsErasedAsAWholeAfterAResize() {
        let screen = Screen()
        let lines = screen.lines(isTerminal: true)
        let key = String(repeating: "k", count: 60)
        lines.observe(.file(key: key, Self.figures(250)))
        // 79 columns for the file, and 42 for the totals.
        #expect(screen.all.split(separator: "\n").map(\.count) == [79, 42], "\(screen.all)")
        let board = screen.raw
        screen.size.withLock { $0 = TerminalSize(columns: 40, rows: 24) }
        lines.observe(.note(key: "k", "drawn again"))
        #expect(screen.raw.dropFirst(board.count).hasPrefix(Screen.erasing(4)), "\(screen.raw)")
    }

    @Test(arguments: [(24, 6), (8, 6), (5, 3), (2, 0), (1, 0)])
    func boardIsLowerThanTheTerminal(rows: Int, files: Int) {
        let screen = Screen()
        screen.size.withLock { $0 = TerminalSize(columns: 80, rows: rows) }
        let lines = screen.lines(isTerminal: true)
        for number in 0..<9 { lines.observe(.file(key: "key \(number)", Self.figures(10))) }
        lines.observe(.note(key: "key 0", "drawn again"))
        let board = screen.all.split(separator: "drawn again\n").last?.split(separator: "\n") ?? []
        #expect(board.count == files + 1, "\(board)")
        #expect(board.last?.hasPrefix("0 of 9 files: ") == true)
    }

    @Test func eachLineOfTheBoardAllowsBreakingAgain() {
        let screen = Screen()
        screen.lines(isTerminal: true).observe(.file(key: "k", Self.figures(250)))
        let lines = screen.raw.split(separator: "\n")
        #expect(lines.count == 2 && lines.allSatisfy { $0.hasPrefix("\u{1B}[?7l") && $0.hasSuffix("\u{1B}[?7h") })
    }

    /// The totals count what the store has, also of files that it had before, and tell failed files from stopped ones.
    @Test func totalsCountFilesByTheirOutcome() {
        let screen = Screen()
        let lines = screen.lines(isTerminal: true)
        let receipt = UploadReceipt(size: 2_048, partBytes: 1, root: nil, evidence: .none, etag: "", version: "")
        lines.observe(.file(key: "active", Self.figures(0)))
        for (key, wasThere) in [("a", false), ("b", true)] {
            lines.observe(.finished(path: key, key: key, .stored(receipt, wasThere: wasThere), Self.figures(0)))
        }
        #expect(screen.all.contains("2 of 3 files: 4.0 KiB stored, 0 B on the way"), "\(screen.all)")
        lines.observe(.finished(path: "c", key: "c", .failed(UploadFailure(.missing)), Self.figures(0)))
        lines.observe(.finished(path: "d", key: "d", .failed(UploadFailure(.stopped)), Self.figures(1_024)))
        #expect(screen.all.contains("2 of 5 files, 1 failed, 1 stopped: 5.0 KiB stored"), "\(screen.all)")
    }

    @Test func verbosePrintsStoredParts() throws {
        let screen = Screen()
        let lines = screen.lines(isTerminal: false, isVerbose: true)
        lines.observe(try Self.part(1, sent: 500))
        lines.observe(try Self.part(1, sent: 500, isStored: true))
        #expect(screen.all == "k: part 1 stored, 500 B\n")
    }

    @Test func summaryListsFailuresAndRemedies() {
        let screen = Screen()
        let lines = screen.lines(isTerminal: false)
        var summary = RunSummary()
        summary.files = 3
        summary.unfinished.resumable = 1
        summary.failures = [
            .init(path: "/d/a", key: "a", failure: UploadFailure(.missing, "there is no such file")),
            .init(path: "/d/long", key: "b", failure: UploadFailure(.unreachable, "the gateway could not be reached")),
        ]
        lines.conclude(summary)
        #expect(screen.all.contains("Not stored:\n  /d/a     there is no such file\n  /d/long  the gateway"))
        #expect(screen.all.contains("1 upload is unfinished and kept: sluice-agent resume continues"))
    }

    /// A later run does not send the stored bytes of a stopped upload again.
    @Test(arguments: [
        (true, UploadFailure.Kind.stopped, "0 B stored and 300 B of unfinished files, 300 B sent; "),
        (false, .stopped, "0 B stored, 300 B sent; "), (true, .keyTaken, "0 B stored, 300 B sent; "),
    ])
    func totalsNameWhatIsKept(isResumable: Bool, kind: UploadFailure.Kind, totals: String) {
        let screen = Screen()
        var summary = RunSummary()
        var figures = Self.figures(300)
        figures.isResumable = isResumable
        summary.add(.failed(UploadFailure(kind)), figures, path: "p", key: "k")
        screen.lines(isTerminal: false).conclude(summary)
        let count = kind == .stopped ? "0 failed, 1 stopped" : "1 failed"
        #expect(screen.all.contains("1 file, \(count); \(totals)"), "\(screen.all)")
    }

    /// The user has stopped these files. That is no failure, for people and for programs.
    @Test func stoppedIsNotFailed() {
        var summary = RunSummary()
        summary.files = 3
        let kinds = [UploadFailure.Kind.stopped, .stopped, .missing]
        summary.failures = kinds.map { .init(path: "/d/\($0)", key: "k", failure: UploadFailure($0)) }
        let (screen, json) = (Screen(), Screen())
        screen.lines(isTerminal: false).conclude(summary)
        #expect(screen.all.contains("\nNot stored:\n  /d/missing  there is no such file"), "\(screen.all)")
        #expect(!screen.all.contains("/d/stopped"))
        json.json().conclude(summary)
        #expect(json.all.contains("\"failed\":1,") && json.all.contains("\"stopped\":2,"), "\(json.all)")
    }

    @Test func conclusionFitsTheTerminal() {
        let screen = Screen()
        screen.size.withLock { $0 = TerminalSize(columns: 40, rows: 24) }
        var summary = RunSummary()
        summary.files = 2
        let path = "/d/" + String(repeating: "\u{6F22}", count: 30)
        summary.failures = [.init(path: path, key: "k", failure: UploadFailure(.missing))]
        summary.unfinished.resumable = 1
        screen.lines(isTerminal: true).conclude(summary)
        let widths = screen.all.split(separator: "\n").map { DisplayWidth.columns(of: $0) }
        #expect(widths.allSatisfy { $0 <= 40 }, "\(screen.all)")
        #expect(screen.all.contains("\n  /d/\u{6F22}\u{2026}"), "\(screen.all)")
    }

    @Test(arguments: [(0.04, "0.0 s"), (12, "12 s"), (200, "3 min"), (10_000, "2 h"), (1e9, "11574 d")])
    func durationsAreReadable(seconds: Double, text: String) {
        #expect(ReadableQuantity.time(seconds) == text)
    }

    /// If the only file fails, the exit code is that of its failure. If a few of many files fail, the exit code is 1.
    /// If one cause affects all files, the exit code is that of the cause.
    @Test(arguments: [
        (3, [UploadFailure.Kind.missing], 1 as Int32), (1, [.missing], 66), (3, [.missing, .changed], 1),
        (3, [.unreachable], 75), (2, [.notAuthorised, .notAuthorised], 77), (2, [], 0),
    ])
    func exitCodes(files: Int, kinds: [UploadFailure.Kind], code: Int32) {
        var summary = RunSummary()
        summary.files = files
        summary.failures = kinds.map { .init(path: "", key: "", failure: UploadFailure($0)) }
        #expect(summary.exitCode == code)
    }

    @Test(arguments: [nil, 0, 1, 3] as [Int?])
    func summaryCountsMissingReceipts(count: Int?) {
        let screen = Screen()
        var summary = RunSummary()
        summary.files = 3
        summary.withoutReceipt = count
        screen.lines(isTerminal: false).conclude(summary)
        #expect(screen.all.contains("stored without a receipt") == ((count ?? 0) > 0), "\(screen.all)")
        #expect(summary.exitCode == 0)
    }

    @Test func missingReceiptsAreCounted() {
        var summary = RunSummary()
        let outcomes: [ReceiptOutcome] = [
            .notAskedFor, .missing, .kept(StoredReceipt(statement: [1], signature: [2], publicKey: [3])),
        ]
        for (number, outcome) in outcomes.enumerated() {
            var receipt = UploadReceipt(size: 1, partBytes: 1, root: nil, evidence: .none, etag: "", version: "")
            receipt.signed = outcome
            summary.add(.stored(receipt, wasThere: false), Self.figures(1), path: "p", key: "k")
            #expect(summary.withoutReceipt == [nil, 1, 1][number])
        }
    }

    /// That the run waits is no result. So it goes to standard error, also on a terminal.
    @Test(arguments: [
        (ProgressLines.Style.text(isTerminal: false, isVerbose: false), "", "waiting\n"), (.json, "", "waiting\n"),
        (.quiet, "", ""), (.text(isTerminal: true, isVerbose: false), "", "waiting\n"),
    ])
    func waitingIsNoResult(style: ProgressLines.Style, output: String, notices: String) {
        let (screen, log) = (Screen(), Screen())
        let lines = ProgressLines(style: style, notices: { log.write($0 + "\n") }, output: { screen.write($0) })
        lines.observe(.awaitingGateway("waiting"))
        #expect(screen.all == output && log.all == notices)
    }

    /// While a terminal is stopped with Ctrl-S, outdated boards would pile up.
    @Test func noBoardIsDrawnBehindWaitingText() {
        let screen = Screen()
        let lines = screen.lines(isTerminal: true)
        lines.observe(.file(key: "k", Self.figures(250)))
        let board = screen.all
        screen.reader.withLock { $0 = .reading }
        lines.observe(.file(key: "k", Self.figures(300)))
        #expect(screen.all == board)
        lines.observe(.note(key: "k", "a result"))
        #expect(screen.all == board + Screen.erasing(2) + "k: a result\n")
        screen.reader.withLock { $0 = .idle }
        lines.observe(.note(key: "k", "drawn again"))
        #expect(screen.all.hasPrefix(board + Screen.erasing(2) + "k: a result\nk: drawn again\nk  [#######"))
    }

    @Test(arguments: [true, false]) func slowReaderGetsResultsOnly(isJSON: Bool) throws {
        let screen = Screen()
        let lines = isJSON ? screen.json() : screen.lines(isTerminal: false, isVerbose: true)
        screen.reader.withLock { $0 = .behind }
        lines.observe(.file(key: "k", Self.figures(250)))
        lines.observe(try Self.part(1, sent: 500, isStored: true))
        #expect(screen.all == "")
        lines.observe(.note(key: "k", "a note"))
        lines.observe(.finished(path: "p", key: "k", .failed(UploadFailure(.missing)), Self.figures(250)))
        lines.conclude(RunSummary())
        #expect(screen.all.contains("a note") && screen.all.contains("there is no such file"))
        #expect(!isJSON || screen.all.contains("\"event\":\"summary\""))
    }
}
