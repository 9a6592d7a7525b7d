package import AgentKit
import CommandSupport
import SystemSupport
package import TransferCore

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The dialogue of `resume` on a terminal. Asks the user for each unfinished upload whether to resume it now, to resume
/// it later, or to drop it. A stream cannot be resumed, so for a stream it only asks whether to drop it.
package struct ResumeDialogue {
    /// The user's answers. Uploads that are in neither list wait for a later run.
    package struct Decision: Equatable, Sendable {
        package var now: [UploadID] = []
        package var drop: [UploadID] = []

        package init() {}
    }

    private let read: () -> String?
    private let write: (String) -> Void
    private let width: Int?

    /// - Parameters:
    ///   - read: returns the user's next line; `nil` at the end of input.
    ///   - write: called with text for the user, including line feeds. Control characters of foreign text are visible.
    ///   - width: columns of the terminal; `nil` if they do not matter.
    package init(read: @escaping () -> String?, write: @escaping (String) -> Void, width: Int? = nil) {
        self.read = read
        self.write = write
        self.width = width
    }

    /// Asks on the terminal. Until the last answer nothing has begun, so SIGINT or SIGTERM ends the process at once,
    /// with the exit code of an interrupted run.
    package static func onTerminal(_ uploads: [AgentJournal.Unfinished]) -> Decision {
        // The signal is handled on a thread of its own, because the thread of the dialogue waits for the user.
        StopSignals.handle(stop: {
            Output.results.raw("\n")
            Output.endProcess(UploadFailure.Kind.stopped.exitCode, program: "sluice-agent")
        })
        return ResumeDialogue(
            read: { readLine() }, write: { Output.results.raw($0) }, width: TerminalOutput.tableWidth
        ).ask(uploads)
    }

    /// Asks about each upload. An empty line means *now*, and for a stream *later*. At the end of input all remaining
    /// uploads wait for later.
    package func ask(_ uploads: [AgentJournal.Unfinished]) -> Decision {
        var decision = Decision()
        for upload in uploads {
            for line in UnfinishedTable([upload]).lines(width: width) { write(line + "\n") }
            guard let answer = answer(about: upload) else {
                write("\n")
                break
            }
            switch answer {
            case .now: decision.now.append(upload.id)
            case .drop: decision.drop.append(upload.id)
            case .later: break
            }
        }
        return decision
    }

    private enum Answer {
        case now, later, drop
    }

    private func answer(about upload: AgentJournal.Unfinished) -> Answer? {
        let isStream = upload.isStream
        while true {
            write(
                isStream
                    ? "  drop what is stored of it, now or later? [Later/drop] "
                    : "  continue now, later, or drop what is stored? [Now/later/drop] ")
            guard let line = read() else { return nil }
            switch line.lowercased().filter({ !$0.isWhitespace }) {
            case "" where isStream: return .later
            case "", "n", "now", "y", "yes":
                guard isStream else { return .now }
                write("  Please answer later or drop.\n")
            case "l", "later": return .later
            case "d", "drop": return .drop
            default: write(isStream ? "  Please answer later or drop.\n" : "  Please answer now, later or drop.\n")
            }
        }
    }
}
