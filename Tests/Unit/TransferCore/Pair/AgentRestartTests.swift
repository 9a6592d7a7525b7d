import Testing
import TransferCore
import TransferCoreSupport
import WireProtocol

@Suite struct AgentRestartTests {
    @Test(arguments: [0, 250, 900, 3_500], [false, true])
    func fileSurvivesAgentDeathAfterAnyAction(size: Int, gatewayNotices: Bool) {
        var last = 1
        var diesAt = 0
        while diesAt < last {
            diesAt += 1
            let pair = Pair()
            var isDone = false
            pair.onAgentAction = { [unowned pair] count in
                guard count == diesAt, !isDone else { return }
                isDone = true
                pair.restartAgent(leavingGateway: !gatewayNotices)
            }
            let upload = pair.push(bytes: size)
            pair.run()
            last = max(last, diesAt == 1 ? pair.agent.actionCount : last)
            pair.checkStored(upload)
            pair.rest()
            #expect(pair.violations == [], "dies after action \(diesAt)")
            #expect(pair.store.partsStoredAgain == [], "dies after action \(diesAt)")
            if !pair.violations.isEmpty { return }
        }
        #expect(last > 3)
    }

    @Test func fileSurvivesAgentDeathAfterAnyCommit() {
        for diesAt in 1...12 {
            let pair = Pair()
            pair.onCommit = { [unowned pair] count in
                if count == diesAt { pair.restartAgent() }
            }
            let upload = pair.push(bytes: 5_200)
            pair.run()
            #expect(pair.store.object("site/file")?.bytes == pair.files[upload]?.bytes, "dies after commit \(diesAt)")
            pair.rest()
            #expect(pair.violations == [], "dies after commit \(diesAt)")
            #expect(pair.store.partsStoredAgain == [])
        }
    }

    @Test(arguments: [true, false])
    func adoptionReplacesALostJournal(keepsDigests: Bool) {
        var options = PairOptions()
        options.linkBytesPerSecond = 20_000
        let pair = Pair(options)
        pair.store.keepsDigests = keepsDigests
        let upload = pair.push(bytes: 8_000)
        pair.run { ($0.store.requestCounts[.storePart] ?? 0) >= 5 }
        pair.restartAgent { pair.journal.forgetSessions() }
        pair.expectStored(upload)
        #expect(pair.agent.reports.contains { if case .adopted = $0 { true } else { false } })
        #expect(pair.store.requestCounts[.createUpload] == 1)
        #expect((pair.store.requestCounts[.storePart] ?? 0) <= 8 + 4)
    }
}
