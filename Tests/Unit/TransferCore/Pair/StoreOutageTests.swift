import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// A store is unavailable or full for minutes during uploads. The tests bound the wasted data, and check that every
/// file arrives afterwards.
@Suite struct StoreOutageTests {
    private static let cautiousBytes: UInt64 = 100

    private func options() -> PairOptions {
        var options = PairOptions()
        options.gatewayLimits.breaker.cautiousBytes = Self.cautiousBytes
        options.linkBytesPerSecond = 20_000
        options.agentLimits.retryFor = .seconds(3_600)
        return options
    }

    private func isRefused(_ request: StoreRequest, _ failure: StoreError) -> Bool {
        switch request.kind {
        case .storePart, .storeObject, .createUpload, .writeRecord: true
        case .lookUpObject, .readObject, .findRecords, .removeRecord, .listParts, .complete, .abort, .renewRecord:
            failure != .full
        }
    }

    private func sent(_ pair: Pair) -> UInt64 { pair.chunkTimes.reduce(0) { $0 + $1.wireBytes } }

    /// Makes the store fail for `duration`.
    ///
    /// - Returns: how many bytes the agent sent during the outage, and how many parts the store was asked to take.
    private func fail(_ pair: Pair, _ failure: StoreError, for duration: Duration) -> (bytes: UInt64, parts: Int) {
        let (before, partsBefore) = (sent(pair), parts(pair))
        pair.store.chooseFault = { request in self.isRefused(request, failure) ? .fails(failure) : nil }
        let end = pair.schedule.now + duration
        pair.schedule.at(end) {}
        pair.run { $0.schedule.now >= end }
        pair.store.chooseFault = nil
        return (sent(pair) - before, parts(pair) - partsBefore)
    }

    private func parts(_ pair: Pair) -> Int {
        (pair.store.requestCounts[.storePart] ?? 0) + (pair.store.requestCounts[.storeObject] ?? 0)
    }

    @Test(
        arguments: [
            StoreError.unavailable(retryAfter: .zero), .outcomeUnknown, .full, .unavailable(retryAfter: .seconds(1)),
        ], [1, 3])
    func downStoreIsSentLittle(failure: StoreError, connections: Int) {
        var options = options()
        options.agentLimits.connections = connections
        let pair = Pair(options)
        let upload = pair.push(bytes: 60_000)
        pair.run { $0.store.confirmed.count >= 10 }
        let (bytes, trials) = fail(pair, failure, for: .seconds(300))
        // The agent may send the data in flight, the data that the gateway admitted before the circuit breaker opened,
        // and the parts with which the breaker tries the store. It tries at least once every half minute.
        let underWay = UInt64(options.agentLimits.concurrency) * 700
        #expect(trials <= 30, "\(trials)")
        #expect(bytes <= 3 * underWay + UInt64(trials) * (Self.cautiousBytes + 50), "\(bytes) bytes in \(trials) parts")
        let back = pair.schedule.now
        pair.expectStored(upload)
        #expect(pair.schedule.now.since(back) < .seconds(200))
        #expect(pair.store.partsStoredAgain == [])
    }

    @Test(arguments: [StoreError.unavailable(retryAfter: .zero), .full])
    func smallFilesAreSentOnceDuringAnOutage(failure: StoreError) {
        let pair = Pair(options())
        pair.push(bytes: 200, key: "before")
        pair.run()
        let uploads = (0..<40).map { number in
            pair.push(bytes: 200, key: "file-\(number)")
        }
        let (bytes, _) = fail(pair, failure, for: .seconds(300))
        // The agent may send one part for each trial of the circuit breaker. Before the breaker opens, the agent may
        // send the initial credit of its connection. If the store is full, it may instead send the parts for which the
        // gateway had decided *send* before the first answer *full*.
        #expect(bytes <= (failure == .full ? 40 * 224 : 500) + 20 * 250, "\(bytes)")
        pair.run()
        for upload in uploads { pair.checkStored(upload) }
        let total = sent(pair)
        #expect(total <= 41 * 224 + bytes + 2_000, "\(total)")
        pair.rest()
        #expect(pair.violations == [])
    }

    /// A new process of the agent knows nothing of the outage. It still sends no data before the gateway asks for data.
    @Test func restartedAgentsSendNothingToADownStore() {
        var options = options()
        options.agentLimits.retryFor = .seconds(30)
        let pair = Pair(options)
        let upload = pair.push(bytes: 200)
        _ = fail(pair, .unavailable(retryAfter: .zero), for: .seconds(60))
        pair.store.standingFaults = Dictionary(
            uniqueKeysWithValues: StoreRequestKind.allCases.map { ($0, .fails(.unavailable(retryAfter: .zero))) })
        let before = sent(pair)
        for _ in 0..<4 {
            pair.restartAgent()
            let end = pair.schedule.now + .seconds(40)
            pair.schedule.at(end) {}
            pair.run { $0.schedule.now >= end }
        }
        #expect(sent(pair) == before)
        pair.store.standingFaults = [:]
        pair.restartAgent()
        let end = pair.schedule.now + .seconds(100)
        pair.schedule.at(end) {}
        pair.run { $0.schedule.now >= end }
        pair.checkStored(upload)
        #expect(pair.violations == [])
    }

    /// The user sees one line about the outage for all uploads. The gateway logs one line when the outage begins and
    /// one when it ends.
    @Test func outageIsReportedOnce() {
        let pair = Pair(options())
        let uploads = (0..<10).map { pair.push(bytes: 5_000, key: "file-\($0)") }
        pair.run { $0.store.confirmed.count >= 10 }
        _ = fail(pair, .full, for: .seconds(200))
        let waits = pair.agent.reports.filter { if case .waiting(.storeFull, _) = $0 { true } else { false } }
        #expect(waits.count == 1)
        pair.run()
        for upload in uploads { pair.checkStored(upload) }
        pair.rest()
        let notes = pair.gateway.notes.filter { $0 == .storeUnavailable(.full) || $0 == .storeRecovered }
        #expect(notes == [.storeUnavailable(.full), .storeRecovered])
        #expect(pair.violations == [])
    }

    @Test func flakyStoreIsNotTreatedAsDown() {
        let pair = Pair(options())
        var count = 0
        pair.store.chooseFault = { request in
            guard request.kind == .storePart else { return nil }
            count += 1
            return count % 4 == 0 ? .fails(.unavailable(retryAfter: .zero)) : nil
        }
        let upload = pair.push(bytes: 60_000)
        pair.expectStored(upload)
        #expect(!pair.gateway.notes.contains { if case .storeUnavailable = $0 { true } else { false } })
    }
}
