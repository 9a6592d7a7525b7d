import AgentKit
import AgentService
import Testing
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
