import TestSupport
import Testing

/// Tests that a wait ends at the awaited value, at its deadline or by cancellation, and for no other reason.
@Suite(.timeLimit(.minutes(5))) struct WaitingTests {
    @Test func endsAtAnExistingValue() async throws {
        let watched = Watched(3)
        #expect(try await watched.wait { $0 == 3 ? "three" : nil } == "three")
    }

    @Test func endsEveryWaitAtItsOwnValue() async throws {
        let watched = Watched(0)
        try await withThrowingTaskGroup(of: Int.self) { group in
            for wanted in 1...50 {
                group.addTask { try await watched.wait { $0 >= wanted ? $0 : nil } }
            }
            for _ in 1...50 {
                watched.update { $0 += 1 }
                await Task.yield()
            }
            var results: [Int] = []
            for try await result in group { results.append(result) }
            #expect(results.count == 50)
            #expect(results.allSatisfy { (1...50).contains($0) })
        }
    }

    @Test func seesEveryValue() async throws {
        let watched = Watched(0)
        let isWaiting = Watched(false)
        async let seen: Int = watched.wait { value in
            isWaiting.update { $0 = true }
            return value == 1 ? value : nil
        }
        try await isWaiting.wait { $0 ? () : nil }
        watched.update { $0 = 1 }
        watched.update { $0 = 2 }
        #expect(try await seen == 1)
    }

    @Test func throwsWhatTheConditionThrows() async throws {
        struct Thrown: Error {}
        let watched = Watched(0)
        await #expect(throws: Thrown.self) { try await watched.wait { _ -> Int? in throw Thrown() } }
    }

    @Test func endsWhenCancelled() async throws {
        let watched = Watched(0)
        let task = Task { try await watched.wait { _ -> Int? in nil } }
        task.cancel()
        try await withDeadline(.seconds(120), "the wait to end") {
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }

    @Test func endsAWaitThatBeginsCancelled() async throws {
        try await withDeadline(.seconds(120), "the wait to end") {
            await #expect(throws: CancellationError.self) {
                try await Task {
                    withUnsafeCurrentTask { $0?.cancel() }
                    try await Watched(0).wait { _ -> Int? in nil }
                }.value
            }
        }
    }

    @Test func givesTheResultOfABodyInTime() async throws {
        #expect(try await withDeadline(.seconds(120), "nothing") { 7 } == 7)
    }

    @Test func failsWithASentenceAtTheDeadline() async throws {
        let error = await #expect(throws: DeadlineExceeded.self) {
            try await withDeadline(.milliseconds(20), "a value", detail: { "it was 0" }) {
                try await Watched(0).wait { _ -> Int? in nil }
            }
        }
        #expect(error?.description == "waited 0.02 seconds for a value\nit was 0")
    }

    @Test func doesNotWaitForAnUncancellableBody() async throws {
        let release = Watched(false)
        await #expect(throws: DeadlineExceeded.self) {
            try await withDeadline(.milliseconds(20), "a stubborn body") {
                await withCheckedContinuation { continuation in
                    Task {
                        // This wait ends only when the test releases it, long after the deadline.
                        try? await release.wait { $0 ? () : nil }
                        continuation.resume()
                    }
                }
            }
        }
        release.update { $0 = true }
    }

    @Test func deadlineAndCallerCancelTheBody() async throws {
        let ended = Watched(0)
        let stuck: @Sendable () async throws -> Void = {
            defer { ended.update { $0 += 1 } }
            try await Watched(0).wait { _ -> Void? in nil }
        }
        await #expect(throws: DeadlineExceeded.self) { try await withDeadline(.milliseconds(20), "it", stuck) }
        try await ended.wait { $0 == 1 ? () : nil }
        let caller = Task { try await withDeadline(.seconds(600), "it", stuck) }
        caller.cancel()
        await #expect(throws: CancellationError.self) { try await caller.value }
        try await ended.wait { $0 == 2 ? () : nil }
    }
}
