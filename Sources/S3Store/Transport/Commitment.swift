import Synchronization
import TransferCommon

/// Decides, once for each call to the store, which comes first: the cancellation of the call, or the call's irrevocable
/// step. After a cancellation the call must not take the step. After the step a cancellation has no effect.
final class Commitment: Sendable {
    private enum State {
        case open
        case committed
        case cancelled
    }

    private let state = Mutex(State.open)

    /// Decides for the irrevocable step, unless the call was cancelled before. Called right before the step.
    ///
    /// - Returns: `false` if the call was cancelled, so that it must not take the step.
    func commit() -> Bool {
        state.withLock { state in
            if case .open = state { state = .committed }
            if case .committed = state { return true }
            return false
        }
    }

    /// Whether the call has committed. Once it has, only the store knows whether the step took effect.
    var isCommitted: Bool {
        state.withLock { state in
            if case .committed = state { return true }
            return false
        }
    }

    /// - Returns: whether the cancellation came before `commit`, so that the call has to end.
    fileprivate func cancel() -> Bool {
        state.withLock { state in
            if case .committed = state { return false }
            state = .cancelled
            return true
        }
    }
}

/// Runs a call. Until it commits it can be cancelled; after that a cancellation has no effect, and the call runs to its
/// end.
func withCommitment<Value: Sendable>(
    _ body: @escaping @Sendable (Commitment) async -> Result<Value, StoreError>
) async throws(StoreError) -> Value {
    let commitment = Commitment()
    // An unstructured task, because cancellation reaches it only through the handler below. A structured task would be
    // cancelled even after the commitment.
    let task = Task { await body(commitment) }
    let result = await withTaskCancellationHandler {
        await task.value
    } onCancel: {
        if commitment.cancel() { task.cancel() }
    }
    return try result.get()
}
