/// A wait took longer than the test allows.
package struct DeadlineExceeded: Error, CustomStringConvertible {
    /// What was waited for, as words that complete "waited … for".
    package let awaited: String

    /// How long the wait was allowed to take.
    package let limit: Duration

    /// What was known about the thing waited for when the time was over; may be empty.
    package let detail: String

    package var description: String {
        "waited \(limit) for \(awaited)" + (detail.isEmpty ? "" : "\n\(detail)")
    }
}

/// Runs `body`, but for no longer than `limit`.
///
/// At the limit the body is cancelled and the caller goes on at once, even where the body does not heed cancellation:
/// a wait that hangs fails with a sentence instead of hanging the whole run.
/// - Parameters:
///   - awaited: what the body waits for, as words that complete "waited 5 seconds for".
///   - detail: asked only when the time is over, for what may explain it.
/// - Throws: what the body throws, ``DeadlineExceeded``, or `CancellationError`.
@discardableResult
package func withDeadline<Success: Sendable>(
    _ limit: Duration,
    _ awaited: String,
    detail: @escaping @Sendable () -> String = { "" },
    _ body: @escaping @Sendable () async throws -> Success
) async throws -> Success {
    // Unstructured on purpose: a task group would wait for a body that ignores its cancellation.
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
