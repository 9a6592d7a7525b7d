import Synchronization

/// A value that changes under the hands of the code being tested, and that a test waits on instead of sleeping.
///
/// Every change is shown to all who wait, in order, so a state that lasts for one change only is not missed.
package final class Watched<Value: Sendable>: Sendable {
    private typealias Resumption = @Sendable () -> Void

    private struct Waiter: Sendable {
        /// Looks at a value and, where the wait is over, says how to resume it once the lock is released.
        let offer: @Sendable (Value) -> Resumption?
        let cancel: Resumption
    }

    private struct State {
        var value: Value
        var waiters: [Int: Waiter] = [:]
        var lastWaiterID = 0
    }

    private let state: Mutex<State>

    package init(_ value: Value) {
        self.state = Mutex(State(value: value))
    }

    /// A copy of the value as it is now; it may have changed by the time the caller looks at it.
    package var current: Value {
        state.withLock { $0.value }
    }

    /// Changes the value in one step and resumes every wait that the new value ends.
    @discardableResult
    package func update<Result: Sendable>(_ change: (inout Value) -> Result) -> Result {
        let (result, resumptions) = state.withLock { state in
            let result = change(&state.value)
            var resumptions: [Resumption] = []
            for (id, waiter) in state.waiters {
                guard let resumption = waiter.offer(state.value) else { continue }
                state.waiters[id] = nil
                resumptions.append(resumption)
            }
            return (result, resumptions)
        }
        for resumption in resumptions {
            resumption()
        }
        return result
    }

    /// Waits until `wanted` gives something for the value, beginning with the present one, and returns that.
    ///
    /// There is no time limit here: put ``withDeadline(_:_:detail:_:)`` around it.
    /// - Throws: what `wanted` throws, and `CancellationError` when the task is cancelled.
    @discardableResult
    package func wait<Result: Sendable>(for wanted: @escaping @Sendable (Value) throws -> Result?) async throws
        -> Result
    {
        let id = state.withLock { state in
            state.lastWaiterID += 1
            return state.lastWaiterID
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                add(waiter: waiter(for: wanted, resuming: continuation), id: id)
                // The handler below may have run before there was anything to cancel.
                if Task.isCancelled { cancelWaiter(id) }
            }
        } onCancel: {
            cancelWaiter(id)
        }
    }

    private func waiter<Result: Sendable>(
        for wanted: @escaping @Sendable (Value) throws -> Result?,
        resuming continuation: CheckedContinuation<Result, any Error>
    ) -> Waiter {
        Waiter(
            offer: { value in
                do {
                    guard let result = try wanted(value) else { return nil }
                    return { continuation.resume(returning: result) }
                } catch {
                    return { continuation.resume(throwing: error) }
                }
            },
            cancel: { continuation.resume(throwing: CancellationError()) }
        )
    }

    private func add(waiter: Waiter, id: Int) {
        let resumption = state.withLock { state -> Resumption? in
            if let resumption = waiter.offer(state.value) { return resumption }
            state.waiters[id] = waiter
            return nil
        }
        resumption?()
    }

    private func cancelWaiter(_ id: Int) {
        let waiter = state.withLock { $0.waiters.removeValue(forKey: id) }
        waiter?.cancel()
    }
}
