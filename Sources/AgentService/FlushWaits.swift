import FolderCore

/// The calls that wait until the files that were pending when they began are proven or stopped.
struct FlushWaits {
    /// Tells the calls apart.
    final class ID: Sendable {}

    private var waits: [(id: ID, mark: FlushMark, done: CheckedContinuation<Void, Never>)] = []

    /// Adds a call.
    mutating func add(_ id: ID, _ mark: FlushMark, _ done: CheckedContinuation<Void, Never>) {
        waits.append((id, mark, done))
    }

    /// Ends a call that is not waited for any more.
    mutating func end(_ id: ID) { end { $0.id === id } }

    /// Ends the calls whose mark is reached.
    mutating func endReached(_ isReached: (FlushMark) -> Bool) {
        guard !waits.isEmpty else { return }
        end { isReached($0.mark) }
    }

    private mutating func end(
        _ isOver: ((id: ID, mark: FlushMark, done: CheckedContinuation<Void, Never>)) -> Bool
    ) {
        let (over, rest) = (waits.filter(isOver), waits.filter { !isOver($0) })
        waits = rest
        for wait in over { wait.done.resume() }
    }
}
