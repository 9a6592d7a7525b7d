import NIOCore
import NIOPosix

// Work for other threads is collected and passed to them once per turn of the event loop, for all files together.
// Passing work to a thread costs more than the work for a small file.

extension AgentShell {
    /// Work for other threads that one turn of the loop has collected.
    struct Turn {
        var events: [ShellEvent] = []
        /// Examinations of small files.
        var looks: [FileLook] = []
        /// The journal has writes to commit.
        var hasWritten = false
        /// There is room for uploads.
        var hasRoom = false
    }

    /// Collects work that is handed over at the end of this turn.
    func atTurnsEnd(_ note: (inout Turn) -> Void) {
        if turn == nil { eventLoop.execute { self.assumeIsolated { $0.endTurn() } } }
        var turn = self.turn.take() ?? Turn()
        note(&turn)
        self.turn = turn
    }

    /// The number of small files that are passed to one thread together. It is small enough that a disk that hangs
    /// blocks only few files.
    private static let looksAtOnce = 8

    private func endTurn() {
        guard let turn = turn.take() else { return }
        if turn.hasWritten { journal.wake() }
        if !turn.events.isEmpty { events.yield(turn.events) }
        var looks = turn.looks[...]
        while !looks.isEmpty {
            look(Array(looks.prefix(Self.looksAtOnce)))
            looks = looks.dropFirst(Self.looksAtOnce)
        }
        guard turn.hasRoom else { return }
        let waiters = roomWaiters
        roomWaiters = []
        for waiter in waiters { waiter.resume() }
    }
}
