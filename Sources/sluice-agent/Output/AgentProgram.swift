package import AgentKit
import Foundation
import Logging
import TransferCore
import UnixSignals

/// One command of the agent's program, from its start to its exit code: signals, lines of output, the work itself.
package struct AgentProgram: Sendable {
    private let uploader: Uploader
    private let lines: ProgressLines

    /// - Parameters:
    ///   - json: whether programs read the output.
    ///   - quiet: only failures are told.
    ///   - verbose: parts are told, too.
    package init(uploader: Uploader, json: Bool, quiet: Bool, verbose: Bool) {
        let text = ProgressLines.Style.text(isTerminal: isatty(STDOUT_FILENO) == 1, isVerbose: verbose)
        self.uploader = uploader
        self.lines = ProgressLines(style: json ? .json : quiet ? .quiet : text, columns: Self.columns) {
            FileHandle.standardOutput.write(Data($0.utf8))
        }
    }

    /// The terminal's width; 80 where it does not tell.
    private static let columns: @Sendable () -> Int = {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// Does the work until its end, SIGINT or SIGTERM. The first signal finishes what is nearly done, the second stops
    /// at once; whatever is unfinished then is kept. The third ends the process though a thread may hang in a read:
    /// what the journal holds is durable.
    ///
    /// - Returns: the exit code.
    package func run(_ work: Uploader.Work) async throws -> Int32 {
        let summary = try await summary(of: work) { [lines] in lines.observe($0) }
        lines.conclude(summary)
        return summary.exitCode
    }

    /// Asks a gateway about files, until the end or a signal.
    ///
    /// - Parameter tell: told what the user may want to know meanwhile.
    /// - Returns: the exit code.
    package func check(
        _ choice: FileChoice, _ options: CheckOptions, _ report: CheckReport, tell: @escaping @Sendable (String) -> Void
    ) async throws -> Int32 {
        let summary = try await summary(of: .check(choice, options)) { event in
            switch event {
            case .checked(let file): report.observe(file)
            case .note(let key, let text): tell("\(key): \(text)")
            case .finished(let path, let key, .failed(let failure), _):
                report.observe(CheckedFile(path: path, key: key, .failed(failure)))
            case .finished, .part, .file: break  // Nothing is sent.
            }
        }
        report.conclude(notBegun: summary.notBegun)
        return report.exitCode
    }

    private func summary(
        of work: Uploader.Work, observe: @escaping @Sendable (UploadEvent) -> Void
    ) async throws -> RunSummary {
        let control = UploadControl()
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        return try await withThrowingTaskGroup(of: RunSummary?.self) { tasks in
            tasks.addTask {
                var count = 0
                for await _ in signals {
                    count += 1
                    // Not awaited: the next signal is to be heard although a stop hangs.
                    switch count {
                    case 1: Task { await control.stop() }
                    case 2: Task { await control.stopAtOnce() }
                    default: _exit(UploadFailure.Kind.stopped.exitCode)
                    }
                }
                return nil
            }
            tasks.addTask { try await uploader.run(work, control: control, observe: observe) }
            defer { tasks.cancelAll() }
            // The task that waits for signals ends when it is cancelled.
            while let ended = try await tasks.next() {
                if let summary = ended { return summary }
            }
            return RunSummary()
        }
    }
}
