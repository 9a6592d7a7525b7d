import Foundation
import Synchronization
import TestSupport

/// What is counted while a site is tortured.
final class Tally: Sendable {
    /// Which program a process runs.
    enum Role: String, CaseIterable, Sendable {
        case agent
        case gateway
    }

    /// What a process was at when it was killed.
    enum Phase: String, CaseIterable, Sendable {
        /// A gateway that does not listen yet, an agent that is new and has told nothing yet.
        case start = "at its start"
        case work = "at work"
        /// Stopped (SIGSTOP) some time before.
        case stop = "while stopped"
    }

    struct KillKey: Hashable, Sendable {
        var role: Role
        var phase: Phase
    }

    struct Counts: Sendable {
        var kills: [KillKey: Int] = [:]
        /// How often each way of ending was seen that was no kill of ours, by role and words.
        var endings: [String: Int] = [:]
        var starts: [Role: Int] = [:]
        var pauses = 0
        var mercies = 0
        var batches = 0
        var files = 0
        var fileBytes = 0
        /// Files that were changed while they were being sent.
        var changes = 0
        /// Objects that were compared with their files before the end.
        var looks = 0
        /// What the link has carried towards gateways, framing and all.
        var linkBytes = 0
        /// Connections that the link cut.
        var cuts = 0
        /// What `uploads clean` had to clear away at the end.
        var cleaned = 0
        var violations: [String] = []

        var killCount: Int { kills.values.reduce(0, +) }
    }

    /// The name of what is tortured, for its lines.
    let name: String
    private let counts = Mutex(Counts())

    init(name: String) {
        self.name = name
    }

    var current: Counts { counts.withLock { $0 } }

    func count(_ change: (inout Counts) -> Void) {
        counts.withLock { change(&$0) }
    }

    /// Something that must never be, and was. It is told at once, and again at the end.
    func violation(_ text: String) {
        counts.withLock { $0.violations.append(text) }
        say("VIOLATION \(name): \(text)")
    }

    /// How far it has come, in one line.
    func progress(of killsWanted: Int) -> String {
        let counts = current
        return
            "\(name): \(counts.killCount) of \(killsWanted) kills, \(counts.files) files in \(counts.batches) batches, "
            + "\(counts.looks) looks, \(counts.violations.count) violations"
    }
}

/// Prints a line at once, also where nobody watches a terminal.
func say(_ line: String) {
    FileHandle.standardOutput.write(Data((line + "\n").utf8))
}
