import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// Checks the simulated network that other tests use: a seed determines the run, violations are detected, and large
/// runs stay fast.
@Suite struct PairTests {
    private func course(seed: UInt64) -> [String] {
        var options = PairOptions()
        options.seed = seed
        options.gateways = 2
        options.agentLimits.connections = 3
        options.linkBytesPerSecond = 100_000
        let pair = Pair(options)
        pair.store.faults = [.storePart: [3: .fails(.unavailable(retryAfter: .zero))]]
        pair.cuts = [Cut(.toGateway, after: 30), Cut(.toAgent, after: 40)]
        for (index, size) in [0, 200, 900, 4_000, 9_000].enumerated() { pair.push(bytes: size, key: "file-\(index)") }
        pair.run()
        pair.rest()
        #expect(pair.violations == [])
        return pair.transcript
    }

    @Test func seedIsDeterministic() {
        let first = course(seed: 4)
        #expect(first == course(seed: 4))
        #expect(first != course(seed: 5))
        #expect(first.count > 100)
    }

    @Test func violationsAreDetected() {
        let pair = Pair()
        let upload = pair.push(bytes: 900)
        pair.run()
        pair.store.put([1], key: "site/file", evidence: .none)
        pair.checkStored(upload)
        #expect(pair.violations == ["the object is not the file"])

        let stuck = Pair()
        stuck.push(bytes: 900)
        #expect(!stuck.run(stepsMax: 5))
        #expect(stuck.violations == ["no end after 5 steps"])
    }

    @Test(.timeLimit(.minutes(5)))
    func tenThousandPartsFitTheBudget() {
        var options = PairOptions()
        options.gatewayLimits.budgetBytes = 64 << 20
        options.gatewayLimits.budgetBytesPerDevice = 48 << 20
        options.agentLimits.concurrency = 16
        let pair = Pair(options)
        let upload = pair.push(bytes: 10_000 * 16, partBytes: 16)
        #expect(pair.run(stepsMax: 1_000_000))
        pair.checkStored(upload)
        #expect(pair.store.requestCounts[.storePart] == 10_000)
        pair.rest()
        #expect(pair.violations == [])
    }

    @Test(.timeLimit(.minutes(5)))
    func twoThousandSessionsFitTheBudget() {
        var options = PairOptions()
        options.agentLimits.sessionsMax = 4_000
        options.gatewayLimits.budgetBytes = 64 << 20
        options.gatewayLimits.budgetBytesPerDevice = 48 << 20
        options.gatewayLimits.slotsMax = 4_000
        options.latency = .milliseconds(200)
        let pair = Pair(options)
        for number in 0..<2_000 { pair.push(bytes: 100, key: "file-\(number)") }
        #expect(pair.run(stepsMax: 1_000_000))
        for upload in pair.files.keys.sorted() { pair.checkStored(upload) }
        pair.rest()
        #expect(pair.violations == [])
    }
}
