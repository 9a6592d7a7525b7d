import NIOCore
import NIOPosix

// Once per turn of the event loop, the shell hands the collected work of all files to other threads. To hand over the
// work for one small file costs more than the work itself.

/// Work for other threads that the shell has collected during one turn of the loop.
struct ShellTurn {
    var events: [ShellEvent] = []
    /// Examinations of small files that wait for a thread.
    var looks: [FileLook] = []
    /// Whether the journal has writes to commit.
    var hasWritten = false
    /// Whether there is room for more uploads, so that `waitForRoom` can return.
    var hasRoom = false
}

extension AgentShell {
    /// Adds work to the current turn. The shell hands it over when this turn of the loop ends.
    func atTurnsEnd(_ note: (inout ShellTurn) -> Void) {
        if turn == nil { eventLoop.execute { self.assumeIsolated { $0.endTurn() } } }
        var turn = self.turn.take() ?? ShellTurn()
        note(&turn)
        self.turn = turn
    }

    /// Number of small files that one thread examines in one job: few, because a disk that hangs delays all of them.
    private static let looksAtOnce = 8

    private func endTurn() {
        guard let turn = turn.take() else { return }
        if turn.hasWritten { journal.wake() }
        if !turn.events.isEmpty { events.add(turn.events) }
        var looks = turn.looks[...]
        while !looks.isEmpty {
            look(Array(looks.prefix(Self.looksAtOnce)))
            looks = looks.dropFirst(Self.looksAtOnce)
        }
        if turn.hasRoom { roomWaiters.resumeAll() }
    }
}

/// Suspended tasks. All wake at a change of the shell, and each checks whether the change is the one that it needs.
struct Waiters {
    private var continuations: [CheckedContinuation<Void, Never>] = []

    var isEmpty: Bool { continuations.isEmpty }

    mutating func add(_ continuation: CheckedContinuation<Void, Never>) { continuations.append(continuation) }

    mutating func resumeAll() {
        defer { continuations = [] }
        for continuation in continuations { continuation.resume() }
    }
}
