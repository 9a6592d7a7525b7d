package import AgentKit
package import CommandSupport
import Foundation
import Synchronization
import TransferCommon
import TransferCore
import WireProtocol

/// Prints events as lines: JSON for programs, or text for users.
package final class ProgressLines: Sendable {
    /// Format of the output.
    package enum Style: Sendable {
        case json
        /// One line for each file when its upload ends. On a terminal there is also a progress board, which is redrawn
        /// below these lines. Elsewhere there is a line of totals every few seconds. With `isVerbose` there is also one
        /// line for each stored part.
        case text(isTerminal: Bool, isVerbose: Bool)
        case quiet
    }

    /// Whether the reader of the output keeps up. While it does not, the agent prints results, but no progress.
    package enum Reader: Sendable {
        /// All output is written.
        case idle
        /// Some output waits for the reader.
        case reading
        /// Much output waits for the reader.
        case behind
    }

    private struct State {
        var board = ProgressBoard()
        /// Widths of the lines of the progress board that are on the terminal now.
        var drawnColumns: [Int] = []
        var drawnAt: ContinuousClock.Instant?
        var ending = RunEnding()
    }

    /// Why the run has ended before all its work was done. The text gives this reason once, and not for each file that
    /// ends with the run.
    private struct RunEnding {
        var reason: UploadFailure?
        private var isTold = false
        private(set) var untoldCount = 0

        /// Whether the file gets no line, because the line of another file has given the reason. A file of which
        /// something was sent or stored always gets its line.
        mutating func leavesOut(_ outcome: UploadOutcome, _ figures: UploadProgress) -> Bool {
            guard case .failed(let failure) = outcome, failure == reason, figures.storedBytes == 0,
                figures.bytesSent == 0
            else { return false }
            guard isTold else {
                isTold = true
                return false
            }
            untoldCount += 1
            return true
        }
    }

    /// Text for one of the outputs of the program.
    private enum Text {
        case result(String)
        /// A line about a file that is not stored.
        case failure(String)
        /// A sentence that is neither: what the run waits for.
        case notice(String)
    }

    private static let drawInterval = Duration.milliseconds(100)
    private static let lineInterval = Duration.seconds(5)

    private let style: Style
    private let json: ProgressJSON
    private let terminal: @Sendable () -> TerminalSize
    private let reader: @Sendable () -> Reader
    private let notices: @Sendable (String) -> Void
    private let failures: @Sendable (String) -> Void
    private let output: @Sendable (String) -> Void
    private let state = Mutex(State())

    /// - Parameters:
    ///   - printsAll: whether JSON has all progress of parts and files, and not only a few lines a second.
    ///   - terminal: the present size of the terminal.
    ///   - reader: whether the reader of the output keeps up.
    ///   - notices: called with a sentence that is neither a result nor a failure.
    ///   - failures: called with each line about files that are not stored; `nil` to print these lines as results. On a
    ///     terminal, `notices` and `failures` must not return before all text is on the terminal.
    ///   - output: called with text, including line feeds. Control characters of foreign text are visible in it; only
    ///     the progress board contains those that move the cursor and keep the terminal from breaking lines.
    package init(
        style: Style, printsAll: Bool = false, terminal: @escaping @Sendable () -> TerminalSize = { .usual },
        reader: @escaping @Sendable () -> Reader = { .idle },
        notices: @escaping @Sendable (String) -> Void = { _ in },
        failures: (@Sendable (String) -> Void)? = nil,
        output: @escaping @Sendable (String) -> Void
    ) {
        self.style = style
        self.json = ProgressJSON(printsAll: printsAll, reader: reader, notices: notices, output: output)
        self.terminal = terminal
        self.reader = reader
        self.notices = notices
        self.failures = failures ?? { output($0 + "\n") }
        self.output = output
    }

    /// Prints an event in the chosen style. Call with every event, in order.
    package func observe(_ event: UploadEvent) {
        switch style {
        case .json: json.observe(event)
        case .text(let isTerminal, let isVerbose):
            observeForPeople(event, isTerminal: isTerminal, isVerbose: isVerbose)
        case .quiet: observeFailure(event)
        }
    }

    /// Prints the summary.
    package func conclude(_ summary: RunSummary) {
        switch style {
        case .json: json.conclude(summary)
        case .text(let isTerminal, _):
            let size = terminal()
            let width = isTerminal ? size.columns : nil
            write(state.withLock { Self.erased(&$0, size) } + Self.conclusion(of: summary, width: width))
        case .quiet:
            // Print these lines even if only failures are printed: otherwise the output would not explain the exit
            // code.
            let untoldCount = state.withLock { $0.ending.untoldCount }
            if untoldCount > 0 { failures(Self.others(untoldCount)) }
            if !summary.notBegun.isNothing {
                failures(summary.notBegun.sentence(summary.ending, summary.step).withVisibleControls)
            }
        }
    }

    // MARK: Text

    private func observeForPeople(_ event: UploadEvent, isTerminal: Bool, isVerbose: Bool) {
        let now = ContinuousClock.now
        let reader = reader()
        let texts = state.withLock { state in
            state.board.observe(event, at: now)
            var texts: [Text] = []
            switch event {
            case .part(let key, let number, _, let size, isStored: true) where isVerbose:
                if reader != .behind { texts = [Self.line("\(key): part \(number.value) stored, \(Self.size(size))")] }
            case .note(let key, let text):
                texts = [Self.line("\(key): \(text)")]
            case .finished(let path, let key, let outcome, let figures):
                if let sentence = Self.sentenceWithoutFile(event) {
                    texts = [.notice(sentence)]
                } else if !state.ending.leavesOut(outcome, figures) {
                    let text = "\(key): \(Self.sentence(outcome, path: path, figures))"
                    // A file that the user has stopped is no failure.
                    if case .failed(let failure) = outcome, failure.kind != .stopped {
                        texts = [.failure(text.withVisibleControls)]
                    } else {
                        texts = [Self.line(text)]
                    }
                }
            case .awaitingGateway(let sentence):
                texts = [.notice(sentence)]
            case .ended(let reason):
                state.ending.reason = reason
            case .part, .file, .checked, .site:
                break
            }
            guard isTerminal else { return texts + (reader == .behind ? [] : Self.sums(&state, now: now)) }
            let isDue = state.drawnAt.map { now - $0 >= Self.drawInterval } ?? true
            // While text waits for the terminal, draw no board: a stopped terminal would collect outdated boards.
            guard isDue || !texts.isEmpty else { return [] }
            let size = terminal()
            guard reader == .idle else { return texts.isEmpty ? [] : Self.erased(&state, size) + texts }
            return Self.erased(&state, size) + texts + Self.drawn(&state, size, now: now)
        }
        write(texts)
    }

    private func write(_ texts: [Text]) {
        for text in texts {
            switch text {
            case .result(let text): output(text)
            case .failure(let line): failures(line)
            case .notice(let sentence): notices(sentence)
            }
        }
    }

    private static func sums(_ state: inout State, now: ContinuousClock.Instant) -> [Text] {
        let last = state.drawnAt ?? now
        if state.drawnAt == nil { state.drawnAt = now }
        guard now - last >= lineInterval, state.board.isActive else { return [] }
        state.drawnAt = now
        return [line(state.board.sums(at: now))]
    }

    /// Moves the cursor to the start of the board and erases the board. A terminal that has become narrower has broken
    /// its lines, so each takes as many rows as its width needs now.
    ///
    /// Erases the first row apart from the others: tmux copies the whole screen into its history when a program erases
    /// everything from the top row on, and would do so for each draw.
    private static func erased(_ state: inout State, _ terminal: TerminalSize) -> [Text] {
        let rows = state.drawnColumns.reduce(0) { $0 + max(($1 + terminal.columns - 1) / terminal.columns, 1) }
        state.drawnColumns = []
        guard rows > 0 else { return [] }
        return [.result("\u{1B}[\(rows)A\r\u{1B}[K" + (rows > 1 ? "\u{1B}[B\u{1B}[J\u{1B}[A" : ""))]
    }

    private static func drawn(
        _ state: inout State, _ terminal: TerminalSize, now: ContinuousClock.Instant
    ) -> [Text] {
        let lines = state.board.lines(on: terminal, at: now)
        state.drawnColumns = lines.map { DisplayWidth.columns(of: $0) }
        state.drawnAt = now
        // The terminal must not break a line that it takes for wider than we do, or after it was made narrower: the
        // board would then have more rows than are erased. Each line allows breaking again.
        return lines.map { .result("\u{1B}[?7l\($0.withVisibleControls)\u{1B}[?7h\n") }
    }

    /// The text as one line. Makes control characters visible, because keys, paths and messages are foreign text.
    private static func line(_ text: String) -> Text { .result(text.withVisibleControls + "\n") }

    private func observeFailure(_ event: UploadEvent) {
        if case .ended(let reason) = event { state.withLock { $0.ending.reason = reason } }
        if let sentence = Self.sentenceWithoutFile(event) { return notices(sentence) }
        guard case .finished(let path, let key, .failed(let failure), let figures) = event,
            !state.withLock({ $0.ending.leavesOut(.failed(failure), figures) })
        else { return }
        failures("\(key): \(Self.sentence(.failed(failure), path: path, figures))".withVisibleControls)
    }

    /// The sentence about a failure that concerns no file that is known; `nil` for every other event.
    private static func sentenceWithoutFile(_ event: UploadEvent) -> String? {
        guard case .finished("", "", .failed(let failure), let figures) = event else { return nil }
        return failure.sentence(NextStep(after: failure, path: "", figures)).withVisibleControls
    }

    /// - Parameter width: columns of the terminal; `nil` if the output is none.
    private static func conclusion(of summary: RunSummary, width: Int?) -> [Text] {
        var lines: [String] = []
        if summary.files > summary.failed || summary.bytesSent > 0 || summary.bytesKept > 0 {
            lines.append(totals(of: summary))
        }
        if let sentence = summary.specialFiles.sentence { lines.append(sentence) }
        if let count = summary.withoutReceipt, count > 0 {
            lines.append(
                "\(count) stored without a receipt; sluice-agent check --remote --read-back asks for "
                    + "\(count == 1 ? "it" : "them")."
            )
        }
        let notBegun = summary.notBegun.isNothing ? [] : [summary.notBegun.sentence(summary.ending, summary.step)]
        return notStored(summary, width: width).map { .failure($0) } + wrapped(lines, width).map(line)
            + wrapped(notBegun, width).map { .failure($0) } + wrapped(summary.unfinished.lines, width).map(line)
    }

    private static func wrapped(_ lines: [String], _ width: Int?) -> [String] {
        lines.flatMap { text in
            let text = text.withVisibleControls
            return width.map { WrappedText.lines(text, width: $0) } ?? [text]
        }
    }

    /// Lists the failed files again. A file that the user has stopped is no failure.
    private static func notStored(_ summary: RunSummary, width: Int?) -> [String] {
        let failures = summary.failures.filter { $0.failure.kind != .stopped && !($0.path.isEmpty && $0.key.isEmpty) }
        let unlisted = summary.unlisted.map { kind, count in kind == .stopped ? 0 : count }.reduce(0, +)
        guard summary.files > 1, !failures.isEmpty || unlisted > 0 else { return [] }
        let ended = failures.filter { $0.failure == summary.ending }
        let listed = failures.filter { $0.failure != summary.ending } + ended.prefix(1)
        let paths = listed.map { failure in
            let path = failure.path.withVisibleControls
            return width.map { DisplayWidth.shortened(path, to: max($0 / 3, 12)) } ?? path
        }
        let pathColumns = min(paths.map { DisplayWidth.columns(of: $0) }.max() ?? 0, 60)
        var lines = ["", "Not stored:"]
        for (path, failure) in zip(paths, listed) {
            let sentence = failure.failure.sentence(failure.step).withVisibleControls
            let text = "  \(DisplayWidth.padded(path, to: pathColumns))  \(sentence)"
            lines += width.map { WrappedText.lines(text, width: $0, indent: pathColumns + 4) } ?? [text]
        }
        if ended.count > 1 { lines.append("  \(others(ended.count - 1))") }
        if unlisted > 0 { lines.append("  and \(counted(unlisted, "file")) more") }
        return lines + [""]
    }

    private static func totals(of summary: RunSummary) -> String {
        var text = "\(counted(summary.files, "file")), \(summary.failedCount) failed"
        if summary.stoppedCount > 0 { text += ", \(summary.stoppedCount) stopped" }
        if summary.unchanged > 0 { text += ", \(summary.unchanged) unchanged" }
        text += "; \(size(summary.bytes)) stored"
        if summary.bytesKept > 0 { text += " and \(size(summary.bytesKept)) of unfinished files" }
        text += ", \(size(summary.bytesSent)) sent"
        if summary.bytesResumed > 0 { text += ", \(size(summary.bytesResumed)) were stored before" }
        let rate = summary.seconds > 0 ? Double(summary.bytesSent) / summary.seconds : 0
        return text + "; \(time(summary.seconds)), \(size(UInt64(rate)))/s"
    }

    /// One line for all files that ended with the run, except the first file. The line of the first file gives the
    /// reason.
    private static func others(_ count: Int) -> String {
        "\(counted(count, "other file")), for the same reason"
    }

    private static func size(_ bytes: UInt64) -> String { ReadableQuantity.size(bytes) }

    private static func time(_ seconds: Double) -> String { ReadableQuantity.time(seconds) }

    private static func sentence(_ outcome: UploadOutcome, path: String, _ figures: UploadProgress) -> String {
        switch outcome {
        case .stored(let receipt, _) where receipt.isUnchanged:
            return "unchanged since it was stored, \(Self.size(receipt.size)); not read"
        case .stored(let receipt, let wasThere):
            return wasThere
                ? "stored already, \(Self.size(receipt.size)); "
                    + (figures.bytesSent > 0
                        ? "\(Self.size(figures.bytesSent)) were on the way before the gateway said so" : "nothing sent")
                : "stored, \(Self.size(receipt.size)); \(Self.size(figures.bytesSent)) sent"
                    + (figures.bytesResumed > 0 ? ", \(Self.size(figures.bytesResumed)) were stored before" : "")
        case .dropped:
            return "dropped"
        case .failed(let failure) where figures.isDropping:
            let yet = failure.isKept || failure.kind == .busy ? " yet" : ""
            return "not dropped\(yet): \(failure.sentence(.drop))"
        case .failed(let failure) where failure.kind == .stopped:
            return "stopped; \(Self.size(figures.storedBytes)) of \(Self.size(figures.size)) are stored"
        case .failed(let failure):
            let step = NextStep(after: failure, path: path, figures)
            let kept = step == .pushOrResume && figures.storedBytes > 0 ? "; what is stored is kept" : ""
            return "failed: \(failure.sentence(step))\(kept)"
        }
    }
}
