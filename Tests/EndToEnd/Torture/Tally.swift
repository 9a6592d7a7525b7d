import Foundation
import Synchronization
import TestSupport

/// Counts the events of a torture run.
final class Tally: Sendable {
    /// Which program a process runs.
    enum Role: String, CaseIterable, Sendable {
        case agent
        case gateway
    }

    /// What a process was doing when it was killed.
    enum Phase: String, CaseIterable, Sendable {
        /// The process was a gateway that did not listen yet, or a new agent without output.
        case start = "at its start"
        case work = "at work"
        /// The process had been stopped by SIGSTOP before it was killed.
        case stop = "while stopped"
    }

    struct KillKey: Hashable, Sendable {
        var role: Role
        var phase: Phase
    }

    struct Counts: Sendable {
        var kills: [KillKey: Int] = [:]
        /// How many processes ended for a reason other than a kill, by program and kind of ending.
        var endings: [String: Int] = [:]
        var starts: [Role: Int] = [:]
        var pauses = 0
        var mercies = 0
        var batches = 0
        var files = 0
        var fileBytes = 0
        /// How many times a file changed while it was being sent.
        var changes = 0
        /// How many objects were compared with their files before the end of the run.
        var looks = 0
        /// Bytes that the link carried towards the gateways, including framing.
        var linkBytes = 0
        /// How many connections the link cut.
        var cuts = 0
        /// How many unfinished uploads `uploads clean` removed at the end.
        var cleaned = 0
        var violations: [String] = []

        var killCount: Int { kills.values.reduce(0, +) }
    }

    /// Name of the torture run in its output.
    let name: String
    private let counts = Mutex(Counts())

    init(name: String) {
        self.name = name
    }

    var current: Counts { counts.withLock { $0 } }

    func count(_ change: (inout Counts) -> Void) {
        counts.withLock { change(&$0) }
    }

    /// Records a violation of an invariant. Prints it now, and again at the end of the run.
    func violation(_ text: String) {
        counts.withLock { $0.violations.append(text) }
        say("VIOLATION \(name): \(text)")
    }

    /// Returns one line with the counts of kills, files, comparisons and violations.
    func progress(of killsWanted: Int) -> String {
        let counts = current
        return
            "\(name): \(counts.killCount) of \(killsWanted) kills, \(counts.files) files in \(counts.batches) batches, "
            + "\(counts.looks) looks, \(counts.violations.count) violations"
    }
}

/// Prints a line without buffering, also if the output is not a terminal.
func say(_ line: String) {
    FileHandle.standardOutput.write(Data((line + "\n").utf8))
}
