import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// What an agent preserves when the user stops it, and what it finishes first (`Agent+Stopping`). A stop preserves at
/// least as much as a crash does.
@Suite struct StoppingTests {
    private func closes(_ actions: [AgentAction]) -> Bool {
        actions.contains { if case .close = $0 { true } else { false } }
    }

    /// A stop closes connections without SESSION LEAVE. After SESSION LEAVE the gateway would drop the bytes that it
    /// holds of unfinished parts.
    @Test(arguments: AgentTableTests.State.allCases)
    func aStopClosesConnectionsWithoutLeavingSessions(in state: AgentTableTests.State) {
        var driver = AgentTableTests.driver(in: state)
        let connections = driver.connections
        var actions = driver.change { $0.stop(now: $1) }
        actions += driver.change { $0.stop(now: $1) }
        #expect(!frames(actions).contains(.sessionLeave(SessionLeave())))
        #expect(driver.machine.slotsInUse == 0)
        if state != .stopped, state != .ending, !state.rawValue.hasPrefix("stopping") {
            #expect(closes(actions) == !connections.isEmpty)
        }
    }

    @Test func stoppingAgentBeginsNothing() {
        var driver = AgentTableTests.driver(in: .stoppingWhileSending)
        var actions = driver.submit(size: 10, id: UploadID(2))
        while !driver.chunks.isEmpty { actions += driver.chunkSent() }
        actions += driver.tick(after: .seconds(1))
        for action in actions {
            switch action {
            case .connect, .readPart, .computeEvidence: Issue.record("\(action)")
            case .send(_, _, .partOffer), .send(_, _, .sessionOpen), .send(_, _, .resumeQuery):
                Issue.record("\(action)")
            default: break
            }
        }
        #expect(driver.machine.verdict == nil)
        driver.commit()
        #expect(driver.outcomes == [.failed(UploadFailure(.stopped, "interrupted"))])
    }

    @Test func aStopEndsAtTheDeadline() throws {
        var driver = AgentTableTests.driver(in: .stoppingWhileSending)
        let grace = AgentLimits().stopGrace
        #expect(try #require(driver.machine.nextDeadline) == driver.now + grace)
        driver.tick(after: grace - .milliseconds(1))
        #expect(driver.machine.verdict == nil)
        #expect(closes(driver.tick(after: .milliseconds(1))))
        driver.commit()
        #expect(driver.outcomes == [.failed(UploadFailure(.stopped, "interrupted"))])
    }

    @Test func runningCompletionIsAwaited() {
        var driver = AgentTableTests.driver(in: .stoppingWhileCompleting)
        let actions = driver.frame(AgentDriver.completed())
        #expect(closes(actions), "nothing is left to wait for")
        driver.commit()
        guard case .stored? = driver.outcomes.first else {
            Issue.record("\(driver.outcomes)")
            return
        }
    }

    /// Every part is stored, and only the last look at the file and COMPLETE are left. That needs no more data, so the
    /// agent completes the upload within the grace period.
    private func completes(_ driver: inout AgentDriver, after actions: [AgentAction]) {
        #expect(!closes(actions))
        #expect(actions.contains(.checkFile(AgentDriver.upload)))
        let checked = driver.handle(.fileChecked(.success(AgentDriver.stamp), of: AgentDriver.upload))
        #expect(frames(checked).contains { if case .complete = $0 { true } else { false } })
        driver.frame(AgentDriver.completed())
        driver.commit()
        guard case .stored? = driver.outcomes.first else {
            Issue.record("\(driver.outcomes)")
            return
        }
    }

    /// The store has confirmed the last part, and the journal's record of it is not durable yet.
    private func driverWithUnsavedLastPart() throws -> AgentDriver {
        var driver = AgentTableTests.driver(in: .resumed)
        let last = try #require(driver.reads.first)
        driver.read()
        driver.frame(.partDecision(PartDecision(part: last, decision: .have(etag: "e3"))))
        return driver
    }

    @Test func storedPartsAreCompletedAfterAStop() throws {
        var driver = try driverWithUnsavedLastPart()
        #expect(!closes(driver.handle(.stopped)))
        let actions = driver.commit()
        completes(&driver, after: actions)
    }

    /// A gateway that is being stopped still serves COMPLETE, so the agent keeps the connection until then.
    @Test func storedPartsAreCompletedOnAConnectionToLeave() throws {
        var driver = try driverWithUnsavedLastPart()
        #expect(!closes(driver.frame(.goAway(GoAway(deadlineMilliseconds: 5_000, message: "")))))
        let place = try #require(driver.slots.last)
        driver.commit()
        let checked = driver.handle(.fileChecked(.success(AgentDriver.stamp), of: AgentDriver.upload))
        #expect(
            checked.contains {
                if case .send(place.connection, place.slot, .complete) = $0 { true } else { false }
            })
    }

    @Test func storedPartsAreCompletedAfterAStopWhileResuming() {
        var driver = AgentDriver()
        driver.submit(size: 2_500, saved: AgentDriver.saved(stored: 3))
        driver.welcome()
        #expect(!closes(driver.handle(.stopped)))
        let actions = driver.frame(AgentDriver.resumeState())
        completes(&driver, after: actions)
    }

    /// The user ends the run at once by a second stop, whatever is stored.
    @Test func secondStopAwaitsNoCompletion() throws {
        var driver = try driverWithUnsavedLastPart()
        driver.handle(.stopped)
        #expect(closes(driver.handle(.stopped)))
        driver.commit()
        #expect(driver.outcomes == [.failed(UploadFailure(.stopped, "interrupted"))])
    }

    /// The agent waits for the answer to SESSION OPEN, because the answer carries the token that the next run needs to
    /// resume.
    @Test func tokenOfAnOpeningSessionIsAwaited() {
        var driver = AgentTableTests.driver(in: .stoppingWhileOpening)
        let actions = driver.frame(AgentDriver.opened(driver.session))
        #expect(
            actions.contains { if case .journal(_, .token(AgentDriver.upload, _)) = $0 { true } else { false } })
        #expect(closes(actions))
    }

    /// The user aborts an upload during the stop. The journal saves this, and the next run aborts the session.
    @Test func lateAbortIsRemembered() {
        var driver = AgentTableTests.driver(in: .stoppingWhileSending)
        let id = UploadID(2)
        var writes: [JournalWrite] = []
        for action in driver.submit(size: 2_500, saved: AgentDriver.saved(), purpose: .abort, id: id) {
            if case .journal(_, let write) = action { writes.append(write) }
        }
        #expect(writes == [.dropping(id), .finished(id, .failed(UploadFailure(.stopped, "interrupted")))])
    }

    // MARK: With a gateway

    private static let linkBytesPerSecond: UInt64 = 20_000

    private func slowPair() -> Pair {
        var options = PairOptions()
        options.linkBytesPerSecond = Self.linkBytesPerSecond
        options.gatewayLimits.windowBytes = 20_000
        options.gatewayLimits.parts.partBytesMax = 1 << 20
        return Pair(options)
    }

    private func stop(_ pair: Pair, after duration: Duration) {
        let moment = pair.schedule.now + duration
        // The simulated clock jumps from one scheduled step to the next. This step makes it reach `moment`.
        pair.schedule.at(moment) { pair.agent.change { $0.stop(now: pair.schedule.now) } }
        pair.run { $0.schedule.now >= moment && $0.agent.machine.isIdle }
    }

    private func sentBytes(_ pair: Pair) -> UInt64 { pair.chunkTimes.reduce(0) { $0 + $1.wireBytes } }

    /// Models `timeout 4 sluice-agent push` in a loop. No run is long enough for the whole file, and one part takes 5
    /// s, so parts have to continue across runs.
    @Test(arguments: [100_000, 10_000] as [UInt64])
    func shortRunsTogetherSendAFile(partBytes: UInt64) {
        let pair = slowPair()
        let upload = pair.push(bytes: 100_000, partBytes: partBytes)
        for run in 1...4 {
            stop(pair, after: .milliseconds(1_500))
            guard case .failed(let failure) = pair.agent.outcomes[upload] else { break }
            #expect(failure.kind == .stopped, "run \(run)")
            pair.restartAgent()
            pair.run { $0.agent.outcomes[upload] == nil }
        }
        pair.expectStored(upload)
        #expect(pair.store.partsStoredAgain == [])
        // The bound allows 10 % for headers, and the few chunks that are in flight at each of the four stops.
        #expect(sentBytes(pair) <= 100_000 + 100_000 / 10 + 4 * 2_000, "\(sentBytes(pair))")
    }

    /// At the stop, 40 kB of a part are not sent yet. The link carries them within the grace period, so the agent
    /// finishes the part.
    @Test func partThatFitsTheGraceIsFinished() {
        let pair = slowPair()
        let upload = pair.push(bytes: 60_000, partBytes: 60_000)
        stop(pair, after: .seconds(1))
        pair.expectStored(upload)
        #expect(pair.schedule.now.since(Instant(nanoseconds: 0)) > .seconds(3))
    }

    @Test func partThatExceedsTheGraceIsNotAwaited() {
        let pair = slowPair()
        let upload = pair.push(bytes: 200_000, partBytes: 200_000)
        let start = pair.schedule.now
        stop(pair, after: .seconds(1))
        #expect(pair.schedule.now.since(start) < .seconds(2), "the grace is not used")
        #expect(pair.expectFailed(upload)?.kind == .stopped)
        #expect(pair.transcript.contains("upload 1 ended"))
        // The agent sent data for one second, plus the chunks in flight. In the grace period of three seconds it would
        // have sent more.
        #expect(sentBytes(pair) < 30_000)
    }
}
