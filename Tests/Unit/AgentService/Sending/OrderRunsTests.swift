import AgentKit
import AgentService
import Testing
import TransferCommon
import TransferCore

/// Tests of the runs of the uploader that perform the service's orders.
@Suite(.timeLimit(.minutes(5))) struct OrderRunsTests {
    /// The reasons for waiting that the runs report until they are stopped.
    private static func reasons(_ use: (OrderRuns) -> Void) async -> [String] {
        let failure = UploadFailure(.unreachable, "no gateway is known")
        let (stream, queue) = AsyncStream.makeStream(of: OrderRuns.News.self)
        let runs = OrderRuns(uploader: { throw failure }, report: { queue.yield($0) })
        use(runs)
        await runs.stop()
        queue.finish()
        var reasons: [String] = []
        for await case .waiting(let reason?) in stream { reasons.append(reason) }
        return reasons
    }

    /// After a restart every file may be proven, so that no order comes. The store has to be known all the same.
    @Test func runBeginsWithoutAnOrder() async {
        let failure = UploadFailure(.unreachable, "no gateway is known")
        #expect(await Self.reasons { $0.start() } == [failure.cause])
        #expect(await Self.reasons { _ in } == [])
    }

    @Test func noRunBeginsAfterTheStop() async {
        let (stream, queue) = AsyncStream.makeStream(of: OrderRuns.News.self)
        let runs = OrderRuns(
            uploader: { throw UploadFailure(.unreachable, "no gateway is known") }, report: { queue.yield($0) })
        await runs.stop()
        runs.start()
        await runs.stop()
        queue.finish()
        var count = 0
        for await _ in stream { count += 1 }
        #expect(count == 0)
    }
}

/// Tests of what the events of a run mean for orders.
@Suite struct OrderNewsTests {
    private static func outcomes(_ event: UploadEvent) -> [UploadOutcome] {
        OrderRuns.News.of(event).compactMap { if case .sent(_, let outcome) = $0 { outcome } else { nil } }
    }

    private static func isWaitOver(_ event: UploadEvent) -> Bool {
        OrderRuns.News.of(event).contains { if case .waiting(nil) = $0 { true } else { false } }
    }

    private static func finished(_ outcome: UploadOutcome, isDropping: Bool = false) -> UploadEvent {
        var figures = UploadProgress(size: 1, storedBytes: 0, bytesSent: 0, bytesResumed: 0)
        figures.isDropping = isDropping
        return .finished(path: "/data/a", key: "a", outcome, figures)
    }

    /// An order for the key of an upload that is dropped waits for its end, and then begins.
    @Test func endOfADroppedUploadIsNoOutcomeOfTheNextOrder() {
        #expect(Self.outcomes(Self.finished(.dropped, isDropping: true)) == [])
        #expect(Self.outcomes(Self.finished(.failed(.interrupted), isDropping: true)) == [])
        // Another command has dropped the upload of an order.
        #expect(Self.outcomes(Self.finished(.dropped)) == [.dropped])
    }

    @Test func answerOfTheGatewayEndsTheWait() {
        let receipt = UploadReceipt(size: 1, partBytes: 1, root: nil, evidence: .none, etag: "", version: "")
        #expect(Self.isWaitOver(Self.finished(.stored(receipt, wasThere: false))))
        #expect(!Self.isWaitOver(Self.finished(.failed(.interrupted))))
    }
}
