import FolderCore
import Synchronization

/// Counts scans, so that a caller can wait for those that begin after its call.
final class ScanCounts: Sendable {
    private struct State {
        var begun: [Int]
        /// The highest number of a scan that has ended.
        var ended: [Int]
        var isStopped = false
        var waiters: [(targets: [Int], done: CheckedContinuation<Void, Never>)] = []

        func isReached(_ targets: [Int]) -> Bool {
            isStopped || zip(ended, targets).allSatisfy { $0 >= $1 }
        }

        mutating func takeReached() -> [CheckedContinuation<Void, Never>] {
            let reached = waiters.filter { isReached($0.targets) }.map(\.done)
            waiters = waiters.filter { !isReached($0.targets) }
            return reached
        }
    }

    private let state: Mutex<State>

    init(folderCount: Int) {
        let none = [Int](repeating: 0, count: folderCount)
        state = Mutex(State(begun: none, ended: none))
    }

    /// A scan of a folder begins.
    ///
    /// - Returns: the number of the scan, for `ended`.
    func began(_ folder: FolderID) -> Int {
        state.withLock { state in
            guard folder.number < state.begun.count else { return 0 }
            state.begun[Int(folder.number)] += 1
            return state.begun[Int(folder.number)]
        }
    }

    func ended(_ folder: FolderID, _ number: Int) {
        let reached = state.withLock { state in
            guard folder.number < state.ended.count else { return [CheckedContinuation<Void, Never>]() }
            state.ended[Int(folder.number)] = max(state.ended[Int(folder.number)], number)
            return state.takeReached()
        }
        for waiter in reached { waiter.resume() }
    }

    /// The numbers that `waitUntilEnded` takes: those of the next scans.
    var next: [Int] { state.withLock { $0.begun.map { $0 + 1 } } }

    /// Waits until each folder has had a scan with at least this number, or `stop` is called.
    func waitUntilEnded(_ targets: [Int]) async {
        await withCheckedContinuation { done in
            let isReached = state.withLock { state in
                if !state.isReached(targets) { state.waiters.append((targets, done)) }
                return state.isReached(targets)
            }
            if isReached { done.resume() }
        }
    }

    /// Ends every wait.
    func stop() {
        let reached = state.withLock { state in
            state.isStopped = true
            return state.takeReached()
        }
        for waiter in reached { waiter.resume() }
    }
}
