package import AgentKit
package import TransferCore

/// The question that `resume` asks on a terminal, once for each unfinished upload: now, later, or drop.
package struct ResumeDialogue {
    /// What was decided; what is in neither list is left for later.
    package struct Decision: Equatable, Sendable {
        package var now: [UploadID] = []
        package var drop: [UploadID] = []

        package init() {}
    }

    private let read: () -> String?
    private let write: (String) -> Void

    /// - Parameters:
    ///   - read: the next line that the user types; `nil` at the end of input.
    ///   - write: text for the user, line ends included.
    package init(read: @escaping () -> String?, write: @escaping (String) -> Void) {
        self.read = read
        self.write = write
    }

    /// Asks about each in turn. Return alone is *now*; the end of input leaves the rest for later.
    package func ask(_ uploads: [AgentJournal.Unfinished]) -> Decision {
        var decision = Decision()
        for upload in uploads {
            write(upload.line + "\n")
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
        while true {
            write("  go on now, later, or drop what is stored? [Now/later/drop] ")
            guard let line = read() else { return nil }
            switch line.lowercased().filter({ !$0.isWhitespace }) {
            case "", "n", "now", "y", "yes": return .now
            case "l", "later": return .later
            case "d", "drop": return .drop
            default: write("  Please answer now, later or drop.\n")
            }
        }
    }
}
