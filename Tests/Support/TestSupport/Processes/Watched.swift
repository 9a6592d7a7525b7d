import Synchronization

/// A value that the tested code changes and that a test can wait for, instead of sleeping.
///
/// Each waiting task checks the value at every change, in order. So it does not miss a value that lasts only until the
/// next change.
package final class Watched<Value: Sendable>: Sendable {
    private typealias Resumption = @Sendable () -> Void

    private struct Waiter: Sendable {
        /// Checks a value. If the value ends the wait, returns a closure that resumes the waiting task. The caller
        /// calls the closure after it has released the lock.
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

    /// The current value. It may change before the caller uses it.
    package var current: Value {
        state.withLock { $0.value }
    }

    /// Changes the value atomically, and resumes every wait that the new value satisfies.
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

    /// Waits until `wanted` returns a non-nil result, starting with the current value.
    ///
    /// Has no time limit; use ``withDeadline(_:_:detail:_:)``.
    /// - Throws: the error of `wanted`, or `CancellationError` if the task is cancelled.
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
                // The cancellation handler may have run before the waiter was registered.
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
