import Foundation
import Logging
import ServiceLifecycle
import Synchronization
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

    /// Does the work until its end, SIGINT or SIGTERM; whatever is unfinished then is kept.
    ///
    /// - Returns: the exit code.
    package func run(_ work: Uploader.Work) async throws -> Int32 {
        let service = UploadService(uploader: uploader, work: work, lines: lines)
        let group = ServiceGroup(
            configuration: .init(
                services: [
                    .init(
                        service: service, successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .gracefullyShutdownGroup)
                ],
                gracefulShutdownSignals: [.sigint, .sigterm],
                // It would tell the whole configuration at start.
                logger: .silent))
        try await group.run()
        return service.exitCode
    }
}

/// One piece of work as a service, so that signals stop it gracefully.
private final class UploadService: Service {
    private let uploader: Uploader
    private let work: Uploader.Work
    private let lines: ProgressLines
    private let result = Mutex<Int32>(75)

    var exitCode: Int32 { result.withLock { $0 } }

    init(uploader: Uploader, work: Uploader.Work, lines: ProgressLines) {
        self.uploader = uploader
        self.work = work
        self.lines = lines
    }

    func run() async throws {
        let summary = try await uploader.run(work) { [lines] in lines.observe($0) }
        lines.conclude(summary)
        result.withLock { $0 = summary.exitCode }
    }
}
