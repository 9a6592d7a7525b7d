import ObjectStore
import Synchronization

/// Decides once between the cancellation of a call and its irrevocable effect: the first of the two wins.
final class Commitment: Sendable {
    private enum State {
        case open
        case committed
        case cancelled
    }

    private let state = Mutex(State.open)

    /// Called right before an irrevocable step.
    ///
    /// - Returns: false if the call was cancelled and must not take the step.
    func commit() -> Bool {
        state.withLock { state in
            if case .open = state { state = .committed }
            if case .committed = state { return true }
            return false
        }
    }

    /// Whether the call has committed. From then on only the store knows whether the effect took place.
    var isCommitted: Bool {
        state.withLock { state in
            if case .committed = state { return true }
            return false
        }
    }

    /// - Returns: whether the cancellation came before the commitment.
    fileprivate func cancel() -> Bool {
        state.withLock { state in
            if case .committed = state { return false }
            state = .cancelled
            return true
        }
    }
}

/// Runs a call that can be cancelled until it commits; afterwards the call runs to its end.
func withCommitment<Value: Sendable>(
    _ body: @escaping @Sendable (Commitment) async -> Result<Value, StoreError>
) async throws(StoreError) -> Value {
    let commitment = Commitment()
    // An unstructured task, because cancellation of a structured one could not be held back after the commitment.
    let task = Task { await body(commitment) }
    let result = await withTaskCancellationHandler {
        await task.value
    } onCancel: {
        if commitment.cancel() { task.cancel() }
    }
    return try result.get()
}
