import NIOCore
import NIOPosix

// What is handed over to other threads goes once in a turn of the loop, for however many files: each hand-over costs
// more than a small file's part of the work.

extension AgentShell {
    /// What a turn of the loop has for others.
    struct Turn {
        var events: [ShellEvent] = []
        /// Small ones.
        var looks: [FileLook] = []
        /// The journal has writes to commit.
        var hasWritten = false
        /// There is room for uploads.
        var hasRoom = false
    }

    /// Notes what is to be handed over.
    func atTurnsEnd(_ note: (inout Turn) -> Void) {
        if turn == nil { eventLoop.execute { self.assumeIsolated { $0.endTurn() } } }
        var turn = self.turn.take() ?? Turn()
        note(&turn)
        self.turn = turn
    }

    /// Small ones that a thread takes together: a hand-over is shared, and a disk that hangs holds up few.
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
