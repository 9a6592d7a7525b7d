package import AgentKit
import CommandSupport
import Synchronization
import SystemSupport
import TransferCore

/// Runs one command of the agent: handles signals, prints the command's output, and returns the exit code.
package struct AgentProgram: Sendable {
    private let uploader: Uploader
    private let lines: ProgressLines

    /// - Parameters:
    ///   - json: whether to print JSON instead of text.
    ///   - quiet: whether to print failures only.
    ///   - verbose: whether to print the progress of parts, too.
    package init(uploader: Uploader, json: Bool, quiet: Bool, verbose: Bool) {
        let isTerminal = TerminalOutput.kind == .terminal
        let text = ProgressLines.Style.text(isTerminal: isTerminal, isVerbose: verbose)
        // On a terminal both outputs are one, and their order counts, unless the terminal is stopped: the run must not
        // wait for it again and again. Elsewhere a transfer waits for neither.
        let isStopped = Mutex(!isTerminal)
        let tell: @Sendable (String) -> Void = { text in
            guard !isStopped.withLock({ $0 }) else { return Output.notices.line(text) }
            let begin = ContinuousClock.now
            Output.tell(text)
            if ContinuousClock.now - begin >= .seconds(1) { isStopped.withLock { $0 = true } }
        }
        self.uploader = uploader
        self.lines = ProgressLines(
            style: json ? .json : quiet ? .quiet : text, printsAll: verbose, terminal: { TerminalOutput.size },
            reader: { Output.results.isBehind ? .behind : Output.results.pendingBytes > 0 ? .reading : .idle },
            notices: { tell("sluice-agent: \($0)") }, failures: tell
        ) { Output.results.raw($0) }
    }

    /// Performs the work until it ends, or until SIGINT or SIGTERM arrives. After the first signal, the run completes
    /// the parts that are nearly sent and then ends. After the second signal, it ends at once. In both cases unfinished
    /// uploads can be resumed. Less than a second after the second signal, or at the third, the process ends, even if a
    /// thread is blocked in a read or write. That is safe, too, because committed journal writes are durable.
    ///
    /// - Returns: the exit code.
    package func run(_ work: Uploader.Work) async throws -> Int32 {
        // A program that does not read the agent's output must not stop the transfer.
        Output.doNotWaitForReader()
        let summary = try await summary(of: work) { [lines] in lines.observe($0) }
        if case .push = work, let sentence = summary.sentenceIfNothingWasFound {
            Output.notices.line("sluice-agent: \(sentence)")
        }
        lines.conclude(summary)
        return summary.exitCode
    }

    /// Asks a gateway whether the store holds the files, until every file has an answer or a signal arrives.
    ///
    /// - Parameter tell: called with messages for the user.
    /// - Returns: the exit code.
    package func check(
        _ choice: FileChoice, _ options: CheckOptions, _ report: CheckReport, tell: @escaping @Sendable (String) -> Void
    ) async throws -> Int32 {
        let known = Mutex(DeviceSite?.none)
        let summary = try await summary(of: .check(choice, options)) { event in
            let site = known.withLock { $0 }
            switch event {
            case .site(let site): known.withLock { $0 = site }
            case .checked(var file):
                file.site = site
                report.observe(file)
            case .note(let key, let text): tell("\(key): \(text)")
            case .awaitingGateway(let sentence): tell(sentence)
            case .finished(let path, let key, .failed(let failure), _):
                report.observe(CheckedFile(path: path, key: key, at: site, .failed(failure)))
            case .ended: break  // The conclusion gives the reason.
            case .finished, .part, .file: break  // A check sends no file.
            }
        }
        report.conclude(notBegun: summary.notBegun, ending: summary.ending)
        return report.exitCode
    }

    private func summary(
        of work: Uploader.Work, observe: @escaping @Sendable (UploadEvent) -> Void
    ) async throws -> RunSummary {
        let control = UploadControl()
        StopSignals.handle(
            stop: { Task { await control.stop() } }, stopAtOnce: { Task { await control.stopAtOnce() } })
        return try await uploader.run(work, control: control, observe: observe)
    }
}
