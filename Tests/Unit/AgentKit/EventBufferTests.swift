import AgentKit
import TestSupport
import Testing
import TransferCommon
import TransferCore

/// Tests of the queue between a run and an observer that may be slow.
@Suite struct EventBufferTests {
    private static func progress(_ id: Int64, sent: UInt64) throws -> ShellEvent {
        let part = try #require(PartNumber(1))
        return .report(UploadID(id), .partProgress(part, sent: sent, size: 1 << 40, isStored: false), nil)
    }

    private static func outcome(_ id: Int64) -> ShellEvent {
        .finished(UploadID(id), .dropped, UploadProgress(size: 0, storedBytes: 0, bytesSent: 0, bytesResumed: 0))
    }

    private static func sentBytes(_ events: [ShellEvent]) -> [UInt64] {
        events.compactMap { event in
            guard case .report(_, .partProgress(_, let sent, _, _), _) = event else { return nil }
            return sent
        }
    }

    @Test func fewEventsAreAllKept() throws {
        var queue = EventQueue()
        for sent in 1...100 { queue.add(try Self.progress(1, sent: UInt64(sent))) }
        #expect(Self.sentBytes(queue.takeAll()) == Array(1...100))
        #expect(queue.isEmpty && queue.takeAll().isEmpty)
    }

    @Test func longQueueKeepsNewestProgress() throws {
        var queue = EventQueue()
        for sent in 1...1_000_000 {
            for id in 1...2 as ClosedRange<Int64> { queue.add(try Self.progress(id, sent: UInt64(sent))) }
        }
        #expect(queue.isFull)
        let events = queue.takeAll()
        #expect(events.count <= EventQueue.usualCount + 2)
        #expect(Self.sentBytes(events).suffix(2) == [1_000_000, 1_000_000])
        #expect(!queue.isFull)
    }

    @Test func everyOutcomeIsKept() throws {
        var queue = EventQueue()
        let count = Int64(3 * EventQueue.usualCount)
        for id in 1...count {
            queue.add(try Self.progress(id, sent: 1))
            queue.add(Self.outcome(id))
        }
        let ended = queue.takeAll().compactMap { event in
            if case .finished(let id, _, _) = event { id.value } else { nil }
        }
        #expect(ended == Array(1...count))
    }

    @Test(.timeLimit(.minutes(1))) func feederWaitsForSlowObserver() async throws {
        let buffer = EventBuffer()
        await buffer.waitUntilRead()
        buffer.add((0...EventQueue.usualCount).map { Self.outcome(Int64($0)) })
        let hasPassed = Watched(false)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                await buffer.waitUntilRead()
                hasPassed.update { $0 = true }
            }
            for _ in 0..<1_000 { await Task.yield() }
            #expect(!hasPassed.update { $0 })
            #expect(await buffer.next().count == EventQueue.usualCount + 1)
            try await tasks.waitForAll()
        }
        #expect(hasPassed.update { $0 })
    }

    @Test(.timeLimit(.minutes(1))) func readerWaitsForEvents() async throws {
        let buffer = EventBuffer()
        async let events = buffer.next()
        for _ in 0..<1_000 { await Task.yield() }
        buffer.add([Self.outcome(1)])
        #expect(await events.count == 1)
    }
}
