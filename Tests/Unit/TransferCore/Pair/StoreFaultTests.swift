import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

@Suite struct StoreFaultTests {
    static let failures: [StoreFault] = [
        .fails(.unavailable(retryAfter: .zero)), .fails(.outcomeUnknown), .failsAfterEffect(.outcomeUnknown),
        .failsAfterEffect(.unavailable(retryAfter: .milliseconds(500))), .delayed(.seconds(2)), .fails(.full),
        .fails(.cancelled),
    ]

    @Test(arguments: StoreRequestKind.allCases, failures)
    func fileArrivesDespiteOneFailedRequest(kind: StoreRequestKind, fault: StoreFault) {
        for (size, policy) in [(900, .verify), (900, .fail), (3_500, .verify), (3_500, .fail)]
            as [(Int, ExistingKeyPolicy)]
        {
            let pair = Pair()
            pair.store.faults = [kind: [1: fault]]
            let upload = pair.push(bytes: size, policy: policy)
            pair.expectStored(upload, "\(kind) \(fault) of \(size) bytes, \(policy)")
            #expect(pair.store.partsStoredAgain == [])
        }
    }

    @Test(arguments: StoreRequestKind.allCases)
    func persistentFailureKeepsTheUpload(kind: StoreRequestKind) {
        for size in [900, 3_500] where ![.removeRecord, .abort, .renewRecord].contains(kind) {
            let pair = Pair()
            pair.store.standingFaults = [kind: .fails(.unavailable(retryAfter: .zero))]
            let upload = pair.push(bytes: size)
            pair.run()
            guard (pair.store.requestCounts[kind] ?? 0) > 0 else { continue }
            guard case .failed(let failure) = pair.agent.outcomes[upload] else {
                Issue.record("\(kind): \(String(describing: pair.agent.outcomes[upload]))")
                continue
            }
            #expect(failure.kind == .storeUnavailable)
            #expect(failure.isKept)
            #expect((pair.store.requestCounts[kind] ?? 0) < 60, "\(kind), \(size)")
            pair.rest()
            #expect(pair.violations == [], "\(kind), \(size)")
            pair.store.standingFaults = [:]
            pair.agent.exit()
            pair.agent.start([])
            pair.submit(upload)
            pair.run()
            pair.checkStored(upload)
            #expect(pair.violations == [], "\(kind), \(size)")
            #expect(pair.store.partsStoredAgain == [], "\(kind), \(size)")
        }
    }

    /// The store needs ten minutes to join the parts, longer than the agent usually waits without progress. Meanwhile
    /// the gateway answers PING, so the agent waits, and reports once that it waits.
    @Test(arguments: [900, 5_000])
    func slowCompletionIsAwaited(size: Int) {
        let pair = Pair()
        let kind = size < 1_000 ? StoreRequestKind.storeObject : .complete
        pair.store.faults = [kind: [1: .slow(effect: .seconds(600), answer: .zero)]]
        let began = pair.schedule.now
        let upload = pair.push(bytes: size)
        pair.expectStored(upload)
        #expect(pair.schedule.now.since(began) >= .seconds(600))
        #expect(pair.agent.reports.count { $0 == .waitingForAnswer } == 1)
        #expect(pair.store.requestCounts[kind] == 1)
    }

    @Test func uploadLostOnceBeginsAnew() {
        let pair = Pair()
        pair.store.faults = [.storePart: [3: .uploadVanishes]]
        let upload = pair.push(bytes: 5_000)
        pair.expectStored(upload)
        #expect(pair.agent.reports.contains { $0.isLoss })
        #expect(pair.store.recordCount == 0)
    }

    @Test func uploadLostTwiceIsReported() {
        let pair = Pair()
        pair.store.faults = [.storePart: [3: .uploadVanishes, 7: .uploadVanishes]]
        let upload = pair.push(bytes: 5_000)
        #expect(pair.expectFailed(upload)?.kind == .sessionLost)
    }

    @Test func uploadLostAtCompletionBeginsAnew() {
        let pair = Pair()
        pair.store.faults = [.complete: [1: .uploadVanishes]]
        let upload = pair.push(bytes: 5_000)
        pair.expectStored(upload)
        #expect(pair.agent.reports.contains { $0.isLoss })
    }

    @Test(arguments: [true, false])
    func evidenceReplacesALostCompleteAnswer(keepsSession: Bool) {
        for failure in [StoreError.outcomeUnknown, .unavailable(retryAfter: .zero)] {
            let pair = Pair()
            pair.store.keepsSession = keepsSession
            pair.store.faults = [.complete: [1: .failsAfterEffect(failure)]]
            let upload = pair.push(bytes: 5_000)
            pair.expectStored(upload)
            #expect(!pair.agent.reports.contains { $0.isLoss })
        }
    }

    @Test func overwrittenPartsAreSentAgain() {
        let pair = Pair()
        let upload = pair.push(bytes: 5_000)
        pair.run { ($0.store.requestCounts[.storePart] ?? 0) == 5 && $0.store.confirmed.count >= 4 }
        guard let second = PartNumber(2) else { return }
        pair.store.overwritePart(second)
        pair.expectStored(upload)
        #expect(pair.store.requestCounts[.storePart] == 6)
    }

    @Test func lostPartsAreSentAgain() {
        let pair = Pair()
        let upload = pair.push(bytes: 5_000)
        pair.run { $0.store.confirmed.count == 5 }
        for number in [1, 4] { if let part = PartNumber(UInt32(number)) { pair.store.losePart(part) } }
        pair.expectStored(upload)
        #expect(pair.store.requestCounts[.storePart] == 7)
        #expect(pair.store.requestCounts[.complete] == 2)
    }

    @Test func storeThatForgetsConfirmedPartsIsReported() {
        let pair = Pair()
        pair.store.standingFaults = [.complete: .fails(.partsInvalid([]))]
        let upload = pair.push(bytes: 3_000)
        #expect(pair.expectFailed(upload)?.kind == .sessionLost)
    }

    @Test func laggingListingIsNotTrusted() {
        let pair = Pair()
        pair.store.standingFaults = [.listParts: .listsNothing]
        pair.cuts = [Cut(.toGateway, after: 25)]
        let upload = pair.push(bytes: 9_000)
        pair.expectStored(upload)
        #expect(pair.store.partsStoredAgain == [])
    }

    @Test(arguments: [StoreError.denied, .bucketMissing, .refused(message: "no"), .keyUnsupported(message: "no")])
    func refusingStoreIsReportedAtOnce(failure: StoreError) {
        for kind in [StoreRequestKind.lookUpObject, .createUpload, .storePart, .storeObject, .complete] {
            for size in [900, 3_500] {
                let pair = Pair()
                pair.store.standingFaults = [kind: .fails(failure)]
                let upload = pair.push(bytes: size)
                pair.run()
                guard (pair.store.requestCounts[kind] ?? 0) > 0 else { continue }
                guard case .failed(let reported) = pair.agent.outcomes[upload] else {
                    Issue.record("\(kind): \(String(describing: pair.agent.outcomes[upload]))")
                    continue
                }
                let kinds: [UploadFailure.Kind] = [.storeRefuses, .bucketMissing, .contentRefused, .keyUnsupported]
                #expect(kinds.contains(reported.kind))
                pair.rest()
                #expect(pair.violations == [], "\(kind), \(size)")
            }
        }
    }
}

extension AgentReport {
    /// Whether the report says that a session was lost.
    fileprivate var isLoss: Bool {
        if case .lost = self { true } else { false }
    }
}
