import Foundation
import TestSupport

/// Runs programs by a shell.
extension Site {
    static let shell = Executable(path: "/bin/sh")

    /// Outputs that take no text, as redirections of a shell.
    enum LostOutput: String, CaseIterable, Sendable {
        /// A device of which every write fails because no space is left.
        case full = ">/dev/full"
        case closed = ">&-"
        /// A pipe whose reader has gone, as after `| head -n1`.
        case abandoned = ">&4"

        /// Returns the commands of the shell that prepare the redirection; empty if it needs none.
        func setUp(in site: Site) -> String {
            guard self == .abandoned else { return "" }
            let pipe = Site.quoted(site.path("abandoned"))
            return "rm -f \(pipe); mkfifo \(pipe); exec 3<>\(pipe) 4>\(pipe) 3>&-; "
        }
    }

    /// Commands of the shell that open descriptor 3 as a full pipe. No process reads the pipe, so each write to it
    /// blocks.
    func blockedPipe() -> String {
        let pipe = Self.quoted(path("blocked"))
        return "rm -f \(pipe); mkfifo \(pipe); exec 3<>\(pipe); "
            + "dd if=/dev/zero of=\(pipe) oflag=nonblock bs=4096 count=4096 2>/dev/null; "
    }

    /// The arguments of a shell that executes a program with redirections. The program has the process ID of the shell,
    /// so signals of the test reach it.
    static func shellArguments(
        _ program: Executable, _ arguments: [String], _ redirections: String, setUp: String = ""
    ) -> [String] {
        let words = ([program.path] + arguments).map(quoted).joined(separator: " ")
        return ["-c", "\(setUp)exec \(words) \(redirections)"]
    }

    /// Quotes a text as one word of a shell's command line.
    static func quoted(_ text: String) -> String {
        "'" + text.replacingOccurrences(of: "'", with: "'\\''") + "'"
    }
}
