import ObjectStore
import Synchronization

/// Decides between a call's being cancelled and its effect's becoming irrevocable: whichever comes first, once.
final class Commitment: Sendable {
    private enum State {
        case open
        case committed
        case cancelled
    }

    private let state = Mutex(State.open)

    /// Called just before what cannot be taken back is given away.
    ///
    /// - Returns: false where the call has been cancelled and must not do it.
    func commit() -> Bool {
        state.withLock { state in
            if case .open = state { state = .committed }
            if case .committed = state { return true }
            return false
        }
    }

    /// Since then nobody can tell whether the effect took place but the store.
    var isCommitted: Bool {
        state.withLock { state in
            if case .committed = state { return true }
            return false
        }
    }

    /// - Returns: whether it was early enough.
    fileprivate func cancel() -> Bool {
        state.withLock { state in
            if case .committed = state { return false }
            state = .cancelled
            return true
        }
    }
}

/// Runs a call that can be cancelled until it commits itself, and goes on to its end afterwards.
func withCommitment<Value: Sendable>(
    _ body: @escaping @Sendable (Commitment) async -> Result<Value, StoreError>
) async throws(StoreError) -> Value {
    let commitment = Commitment()
    // Not structured, because a task's cancellation reaches all below it and could not be held back.
    let task = Task { await body(commitment) }
    let result = await withTaskCancellationHandler {
        await task.value
    } onCancel: {
        if commitment.cancel() { task.cancel() }
    }
    return try result.get()
}
