/// The error of a wait that exceeded its time limit.
package struct DeadlineExceeded: Error, CustomStringConvertible {
    /// The awaited event, in words that complete "waited … for".
    package let awaited: String

    /// Time limit of the wait.
    package let limit: Duration

    /// State of the awaited thing at the time limit; may be empty.
    package let detail: String

    package var description: String {
        "waited \(limit) for \(awaited)" + (detail.isEmpty ? "" : "\n\(detail)")
    }
}

/// Runs `body` for at most `limit`.
///
/// At the limit the body is cancelled, and this function throws at once, even if the body ignores the cancellation. A
/// hanging wait therefore fails with a message instead of blocking the whole run.
/// - Parameters:
///   - awaited: the awaited event, in words that complete "waited 5 seconds for".
///   - detail: called only at the time limit. Returns information that may explain why the event has not happened.
/// - Throws: the body's error, ``DeadlineExceeded``, or `CancellationError`.
@discardableResult
package func withDeadline<Success: Sendable>(
    _ limit: Duration,
    _ awaited: String,
    detail: @escaping @Sendable () -> String = { "" },
    _ body: @escaping @Sendable () async throws -> Success
) async throws -> Success {
    // An unstructured task, because a task group would wait for a body that ignores its cancellation.
    let outcome = Watched<Result<Success, any Error>?>(nil)
    let work = Task {
        let result: Result<Success, any Error>
        do {
            result = .success(try await body())
        } catch {
            result = .failure(error)
        }
        outcome.update { $0 = $0 ?? result }
    }
    let timer = Task {
        try await Task.sleep(for: limit)
        let failure = DeadlineExceeded(awaited: awaited, limit: limit, detail: detail())
        outcome.update { $0 = $0 ?? .failure(failure) }
    }
    defer {
        work.cancel()
        timer.cancel()
    }
    return try await outcome.wait { $0 }.get()
}
