import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

@Suite struct LimitsTests {
    @Test(arguments: [0, 1, 500, 5_000, 4_000_000] as [UInt32], [1, 7, 600, 100_000] as [UInt64])
    func filesArriveWithAnyCreditAndWindow(credit: UInt32, window: UInt64) {
        var options = PairOptions()
        options.gatewayLimits.initialCreditBytes = credit
        options.gatewayLimits.windowBytes = window
        let pair = Pair(options)
        let uploads = [0, 1, 250, 900, 3_500].enumerated().map { pair.push(bytes: $1, key: "file-\($0)") }
        pair.run()
        for upload in uploads { pair.checkStored(upload) }
        pair.rest()
        #expect(pair.violations == [])
    }

    @Test(arguments: [1, 3])
    func manyFilesArriveWithASmallBudget(connections: Int) {
        var options = PairOptions()
        options.gatewayLimits.budgetBytes = 2_000
        options.gatewayLimits.budgetBytesPerDevice = 1_500
        options.gatewayLimits.windowBytes = 600
        options.agentLimits.concurrency = 8
        options.agentLimits.connections = connections
        let pair = Pair(options)
        var sawLater = false
        pair.onFrame = { frame, _ in
            if case .partDecision(let decision) = frame, case .later = decision.decision { sawLater = true }
        }
        let uploads = (0..<20).map { pair.push(bytes: 100 + $0 * 150, key: "file-\($0)") }
        pair.run(stepsMax: 400_000)
        for upload in uploads { pair.checkStored(upload) }
        pair.rest()
        #expect(pair.violations == [])
        #expect(sawLater)
    }

    @Test(arguments: [0, 200, 100_000] as [UInt64])
    func fileArrivesWithAWindowAboveTheBudget(window: UInt64) {
        var options = PairOptions()
        options.gatewayLimits.budgetBytes = 4_000
        options.gatewayLimits.budgetBytesPerDevice = 4_000
        options.gatewayLimits.windowBytes = window
        let pair = Pair(options)
        let upload = pair.push(bytes: 4_200)
        pair.expectStored(upload)
    }

    /// The part list must fit in the budget; otherwise the gateway could never complete the file. Larger parts make the
    /// list shorter, so here the whole file becomes one part.
    @Test func listBudgetRaisesThePartSize() {
        let pair = Pair()
        let upload = pair.push(bytes: 99_000)
        pair.run()
        pair.checkStored(upload)
        #expect(pair.store.requestCounts[.storePart] == nil, "it should be one part")
        pair.rest()
        #expect(pair.violations == [])
    }

    @Test func sessionsBeyondTheLimitWaitTheirTurn() {
        var options = PairOptions()
        options.gatewayLimits.sessionsPerDeviceMax = 3
        options.gatewayLimits.sessionGrace = .milliseconds(100)
        options.gatewayLimits.slotsMax = 5
        let pair = Pair(options)
        let uploads = (0..<30).map { pair.push(bytes: 100 + $0 * 60, key: "file-\($0)") }
        pair.run(stepsMax: 400_000)
        for upload in uploads { pair.checkStored(upload) }
        pair.rest()
        #expect(pair.violations == [])
    }

    @Test(arguments: [1, 2], [2_000, 40_000] as [UInt64])
    func theRateIsKept(connections: Int, rate: UInt64) {
        var options = PairOptions()
        options.agentLimits.bytesPerSecond = rate
        options.agentLimits.connections = connections
        let pair = Pair(options)
        let start = pair.schedule.now
        let bytes = Int(rate) * 10
        let upload = pair.push(bytes: bytes, partBytes: 20_000)
        pair.run(stepsMax: 400_000)
        pair.checkStored(upload)
        let seconds = Double(pair.schedule.now.nanoseconds - start.nanoseconds) / 1e9
        let sent = pair.chunkTimes.reduce(0) { $0 + $1.wireBytes }
        #expect(Double(sent) / seconds <= Double(rate) * 1.05)
        #expect(Double(sent) / seconds >= Double(rate) * 0.9)
        for (connection, chunks) in Dictionary(grouping: pair.chunkTimes, by: \.connection) {
            let bytes = chunks.reduce(0) { $0 + $1.wireBytes }
            #expect(bytes * UInt64(2 * connections) >= sent, "\(connection) has not its share")
        }
        // In any 100 ms, all connections together send at most as many bytes as the rate allows in 250 ms. So no long
        // queue builds up.
        for chunk in pair.chunkTimes {
            let soon = pair.chunkTimes.filter { chunk.at <= $0.at && $0.at < chunk.at + .milliseconds(100) }
            #expect(soon.reduce(0) { $0 + $1.wireBytes } <= rate / 4)
        }
        pair.rest()
        #expect(pair.violations == [])
    }

    /// A schedule may change the rate while a large file is sent.
    @Test func theRateChangesDuringAnUpload() {
        var options = PairOptions()
        options.agentLimits.bytesPerSecond = 2_000
        let pair = Pair(options)
        let start = pair.schedule.now
        let upload = pair.push(bytes: 100_000, partBytes: 20_000)
        _ = pair.run(stepsMax: 400_000) { $0.schedule.now >= start + .seconds(5) }
        let slowBytes = pair.chunkTimes.reduce(0) { $0 + $1.wireBytes }
        #expect(slowBytes <= 15_000)
        pair.agent.handle(.rateLimited(nil))
        pair.run(stepsMax: 400_000)
        pair.checkStored(upload)
        #expect(pair.schedule.now < start + .seconds(20), "at the first rate it takes 50 s")
        pair.rest()
        #expect(pair.violations == [])
    }

    @Test func aSmallFileIsOneFlight() {
        var options = PairOptions()
        options.latency = .milliseconds(300)
        let pair = Pair(options)
        pair.push(bytes: 100, key: "first")
        pair.run()
        let start = pair.schedule.now
        let upload = pair.push(bytes: 200, key: "second")
        pair.run()
        pair.checkStored(upload)
        #expect(pair.schedule.now.nanoseconds - start.nanoseconds < 700_000_000)
        pair.rest()
        #expect(pair.violations == [])
    }

    @Test func slowLinkIsNotGivenUp() {
        var options = PairOptions()
        options.linkBytesPerSecond = 20
        options.agentLimits.retryFor = .seconds(60)
        options.gatewayLimits.windowBytes = 2_000
        let pair = Pair(options)
        let upload = pair.push(bytes: 3_500)
        pair.run()
        pair.checkStored(upload)
        #expect(pair.schedule.now > Instant(nanoseconds: 100_000_000_000))
        pair.rest()
        #expect(pair.violations == [])
    }

    @Test func unreachableGatewayIsGivenUp() {
        var options = PairOptions()
        options.agentLimits.retryFor = .seconds(100)
        let pair = Pair(options)
        pair.route = { nil }
        let upload = pair.push(bytes: 3_500)
        let start = pair.schedule.now
        pair.run()
        #expect(pair.agent.outcomes[upload] == .failed(UploadFailure(.unreachable, "the gateway could not be reached")))
        let waited = pair.schedule.now.since(start)
        #expect(waited >= .seconds(100) && waited < .seconds(101))
        #expect(pair.steps < 2_000)
        pair.rest()
        #expect(pair.violations == [])
    }
}
