import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

@Suite struct EventTests {
    private func slowOptions() -> PairOptions {
        var options = PairOptions()
        options.gateways = 2
        options.linkBytesPerSecond = 20_000
        return options
    }

    @Test(arguments: [1, 2], [250, 900, 6_000])
    func aDrainingGatewayIsLeftForAnother(connections: Int, size: Int) {
        for step in stride(from: 1, to: 400, by: 3) {
            var options = slowOptions()
            options.agentLimits.connections = connections
            let pair = Pair(options)
            var drained = false
            pair.route = { drained ? 1 : 0 }
            let upload = pair.push(bytes: size)
            for _ in 0..<step where !pair.isDone { _ = pair.schedule.step() }
            guard !pair.isDone else { return }
            drained = true
            pair.gateway.change { $0.drain(within: .seconds(20), now: pair.schedule.now) }
            pair.run()
            pair.checkStored(upload)
            #expect(pair.gateway.machine.isDrained)
            pair.rest()
            #expect(pair.violations == [], "after step \(step)")
            #expect(pair.store.partsStoredAgain == [], "after step \(step)")
            if !pair.violations.isEmpty { return }
        }
    }

    /// The agent asks for the completion only when it knows of the last part, which takes a round trip.
    @Test func drainingGatewayWaitsForTheCompletionOfAWholeFile() {
        var options = slowOptions()
        options.latency = .milliseconds(300)
        let pair = Pair(options)
        let upload = pair.push(bytes: 900, partBytes: 300)
        var storedCount = 0
        pair.onFrame = { frame, _ in
            guard case .stored = frame else { return }
            storedCount += 1
            if storedCount == 3 { pair.gateway.change { $0.drain(within: .seconds(20), now: pair.schedule.now) } }
        }
        pair.route = { storedCount == 3 ? 1 : 0 }
        #expect(pair.run { _ in storedCount == 3 })
        #expect(!pair.gateway.machine.isDrained)
        pair.run()
        pair.checkStored(upload)
        pair.rest()
        #expect(pair.gateway.machine.isDrained)
        #expect(pair.violations == [])
    }

    @Test(arguments: [250, 900, 3_500], [1, 2])
    func anUploadIsDroppedAtAnyMoment(size: Int, connections: Int) {
        var wasDropped = false
        for step in 1..<600 {
            var options = slowOptions()
            options.agentLimits.connections = connections
            let pair = Pair(options)
            let upload = pair.push(bytes: size)
            for _ in 0..<step where !pair.isDone { _ = pair.schedule.step() }
            guard !pair.isDone else { break }
            pair.agent.change { $0.drop(upload, now: pair.schedule.now) }
            pair.run()
            switch pair.agent.outcomes[upload] {
            case .dropped: wasDropped = true
            case .stored: pair.checkStored(upload)  // It was complete before the drop.
            default: Issue.record("\(String(describing: pair.agent.outcomes[upload]))")
            }
            pair.rest()
            #expect(pair.violations == [], "after step \(step)")
            #expect(pair.store.uploadCount == 0, "after step \(step)")
            if !pair.violations.isEmpty { return }
        }
        #expect(wasDropped)
    }

    @Test func nextRunFinishesAnInterruptedDrop() {
        for cutAt in 1...4 {
            let pair = Pair(slowOptions())
            let upload = pair.push(bytes: 6_000)
            pair.run { $0.store.confirmed.count >= 2 }
            pair.agent.change { $0.drop(upload, now: pair.schedule.now) }
            let actions = pair.agent.actionCount
            pair.onAgentAction = { [unowned pair] in if $0 == actions + cutAt { pair.restartAgent() } }
            pair.run()
            if case .stored = pair.agent.outcomes[upload] { continue }
            #expect(pair.agent.outcomes[upload] == .dropped)
            pair.rest()
            #expect(pair.violations == [])
            #expect(pair.store.uploadCount == 0)
        }
    }

    /// The newer run takes over the device at once. Its bytes of a part never mix with those of the older run.
    @Test(arguments: [900, 6_000])
    func aNewerRunFencesTheOlder(size: Int) {
        for chunks in 1...10 {
            let pair = Pair(slowOptions())
            var fenced = 0
            pair.onFrame = { frame, _ in
                if case .error(let report) = frame, report.code == .fenced { fenced += 1 }
            }
            let upload = pair.push(bytes: size)
            pair.run { $0.chunkTimes.count >= chunks || $0.isDone }
            guard !pair.isDone else { break }
            pair.restartAgent(leavingGateway: true)
            pair.expectStored(upload, "after \(chunks) chunks")
            #expect(pair.store.partsStoredAgain == [])
            #expect(pair.gateway.notes.contains { if case .fenced = $0 { true } else { false } })
        }
    }

    @Test func anAgentThatIsFencedStopsAndKeepsItsState() {
        let pair = Pair(slowOptions())
        let upload = pair.push(bytes: 6_000)
        pair.run { $0.store.confirmed.count >= 2 }
        let other = Hello(
            versionMin: 1, versionMax: 1, capabilities: [], fingerprint: Pair.device.fingerprint,
            run: RunID(high: 9, low: 9), software: "other")
        pair.gateway.change {
            $0.accepted(ConnectionID(99), now: pair.schedule.now)
            $0.receivedFrame(
                .hello(other), slot: .connection, from: ConnectionID(99), now: pair.schedule.now, wallMilliseconds: 0)
        }
        pair.run()
        guard case .failed(let failure) = pair.agent.outcomes[upload] else {
            Issue.record("\(String(describing: pair.agent.outcomes[upload]))")
            return
        }
        #expect(failure.kind == .fenced)
        #expect(failure.isKept)
        #expect(pair.journal.rows[upload]?.parts.isEmpty == false)
        pair.gateway.change { $0.connectionLost(ConnectionID(99), now: pair.schedule.now) }
        pair.rest()
        #expect(pair.violations == [])
    }

    @Test func revokedDeviceLearnsIt() {
        let pair = Pair(slowOptions())
        let upload = pair.push(bytes: 6_000)
        pair.run { $0.store.confirmed.count >= 2 }
        pair.gateway.change { $0.devicesChanged([], now: pair.schedule.now) }
        #expect(pair.expectFailed(upload)?.kind == .notAuthorised)
    }

    @Test func nextPushContinuesAnInterruptedOne() {
        let pair = Pair(slowOptions())
        let upload = pair.push(bytes: 6_000)
        pair.run { $0.store.confirmed.count >= 2 }
        pair.agent.change { $0.stop(now: pair.schedule.now) }
        pair.run()
        guard case .failed(let failure) = pair.agent.outcomes[upload] else { return }
        #expect(failure.kind == .stopped)
        pair.restartAgent()
        pair.run { $0.agent.outcomes[upload] == nil }
        pair.expectStored(upload)
        #expect(pair.store.partsStoredAgain == [])
    }

    @Test func partResumesAtTheCutByte() {
        var options = PairOptions()
        options.linkBytesPerSecond = 20_000
        options.gatewayLimits.windowBytes = 20_000
        options.agentLimits.concurrency = 1
        options.gatewayLimits.partGrace = .seconds(10)
        for leavesGateway in [false, true] {
            let pair = Pair(options)
            let upload = pair.push(bytes: 30_000, partBytes: 15_000)
            pair.cuts = [Cut(.toGateway, after: 70, leavesGateway: leavesGateway)]
            pair.run()
            pair.checkStored(upload)
            let sent = pair.chunkTimes.reduce(0) { $0 + $1.wireBytes }
            #expect(sent < 34_000, "leaves gateway: \(leavesGateway)")
            pair.rest()
            #expect(pair.violations == [])
        }
    }
}
