import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// What an agent does in cases that are hard to bring about over a wire, each of which went wrong once.
@Suite struct AgentTests {
    private func offers(_ actions: [AgentAction]) -> [UInt32] {
        frames(actions).compactMap { if case .partOffer(let offer) = $0 { offer.part.value } else { nil } }
    }

    private func later(_ part: PartNumber) -> Frame {
        .partDecision(PartDecision(part: part, decision: .later(code: .busy, retryAfterMilliseconds: 10)))
    }

    /// Frames overtake chunks that wait: a chunk of an earlier offer would be taken for one of the next.
    @Test func aPartIsNotOfferedAgainWhileChunksOfItWait() throws {
        var driver = AgentTableTests.driver(in: .sendingUndecided)
        let part = try #require(PartNumber(1))
        #expect(driver.chunks.count == 2)
        driver.frame(later(part))
        #expect(offers(driver.tick(after: .seconds(5))).isEmpty)
        #expect(offers(driver.chunkSent()).isEmpty)
        #expect(offers(driver.chunkSent()) == [1])
    }

    /// What was sent for an earlier offer says nothing of the next: COMPLETE would go out before its data.
    @Test func aPartIsCompleteWhenItsOwnChunksAreSent() throws {
        var driver = AgentTableTests.driver(in: .openingEarly)
        let part = try #require(PartNumber(1))
        driver.frame(AgentDriver.opened(driver.session))
        driver.frame(later(part))
        var seen: [AgentAction] = []
        while !driver.chunks.isEmpty { seen += driver.chunkSent() }
        seen += driver.tick(after: .seconds(5))
        #expect(offers(seen) == [1])
        #expect(!frames(seen).contains { if case .complete = $0 { true } else { false } })
        driver.frame(.partDecision(PartDecision(part: part, decision: .send(offset: 0, limit: 900))))
        var rest: [AgentAction] = []
        while driver.chunks.count > 1 { rest += driver.chunkSent() }
        #expect(!frames(rest).contains { if case .complete = $0 { true } else { false } })
        #expect(frames(driver.chunkSent()).contains { if case .complete = $0 { true } else { false } })
    }

    /// The slot that was closed carries chunks of its old session yet.
    @Test func aSlotIsNotUsedAgainWhileItsChunksWait() throws {
        var driver = AgentTableTests.driver(in: .sendingUndecided)
        let old = try #require(driver.slots.last)
        driver.frame(
            .error(ErrorReport(scope: .session, code: .busy, retryAfterMilliseconds: 1, message: "")))
        driver.tick(after: .seconds(5))
        #expect(try #require(driver.slots.last).slot != old.slot)
        while !driver.chunks.isEmpty { driver.chunkSent() }
        driver.frame(AgentDriver.resumeState())
        driver.frame(.error(ErrorReport(scope: .session, code: .busy, retryAfterMilliseconds: 1, message: "")))
        driver.tick(after: .seconds(5))
        #expect(try #require(driver.slots.last).slot == old.slot || driver.slots.count == 3)
    }

    @Test func aChunkOfAnEarlierOfferThatFailsSaysNothing() throws {
        var driver = AgentTableTests.driver(in: .sendingUndecided)
        driver.frame(later(try #require(PartNumber(1))))
        driver.chunkFailed()
        driver.chunkFailed()
        #expect(driver.machine.progress(of: AgentDriver.upload) != nil)
        driver.commit()
        #expect(driver.outcomes.isEmpty)
    }

    private func driverWithTwoConnections(size: UInt64 = 2_500) -> AgentDriver {
        var driver = AgentDriver { $0.connections = 2 }
        driver.submit(size: size, saved: AgentDriver.saved(size: size, stored: 0))
        for id in driver.connections {
            driver.change { $0.connected(id, now: $1) }
            driver.change {
                $0.receivedFrame(.welcome(AgentDriver.welcome(500)), slot: .connection, from: id, now: $1)
            }
        }
        let first = driver.slots[0]
        driver.change { $0.receivedFrame(AgentDriver.resumeState(), slot: first.slot, from: first.connection, now: $1) }
        return driver
    }

    /// The first of two connections is there, the other one on its way; four parts have been read.
    ///
    /// - Returns: how many parts were offered on the first.
    private func readBeforeTheSecondIsThere(_ driver: inout AgentDriver) -> Int {
        driver.submit(size: 9_500, saved: AgentDriver.saved(size: 9_500, stored: 0))
        #expect(driver.connections.count == 2)
        let first = driver.connections[0]
        var actions = driver.change { $0.connected(first, now: $1) }
        actions += driver.change {
            $0.receivedFrame(.welcome(AgentDriver.welcome(500)), slot: .connection, from: first, now: $1)
        }
        let place = driver.slots[0]
        actions += driver.change {
            $0.receivedFrame(AgentDriver.resumeState(), slot: place.slot, from: place.connection, now: $1)
        }
        for _ in 0..<4 { actions += driver.read(size: 9_500) }
        return offers(actions, on: first)
    }

    private func offers(_ actions: [AgentAction], on id: ConnectionID) -> Int {
        actions.count { if case .send(id, _, .partOffer) = $0 { true } else { false } }
    }

    @Test func aConnectionThatComesGetsItsShareOfTheParts() {
        var driver = AgentDriver { $0.connections = 2 }
        #expect(readBeforeTheSecondIsThere(&driver) == 2)
        let second = driver.connections[1]
        var actions = driver.change { $0.connected(second, now: $1) }
        actions += driver.change {
            $0.receivedFrame(.welcome(AgentDriver.welcome(500)), slot: .connection, from: second, now: $1)
        }
        #expect(offers(actions, on: driver.connections[0]) == 0, "it is being joined")
        guard let place = driver.slots.last, place.connection == second else {
            Issue.record("the second was not joined")
            return
        }
        actions = driver.change {
            $0.receivedFrame(AgentDriver.resumeState(), slot: place.slot, from: second, now: $1)
        }
        #expect(offers(actions, on: second) == 2)
        #expect(offers(actions, on: driver.connections[0]) == 0)
    }

    @Test func whatWasKeptForAConnectionThatFailsGoesOnTheOther() {
        var driver = AgentDriver { $0.connections = 2 }
        #expect(readBeforeTheSecondIsThere(&driver) == 2)
        let (first, second) = (driver.connections[0], driver.connections[1])
        let actions = driver.change { $0.connectionLost(second, now: $1) }
        #expect(offers(actions, on: first) == 2)
    }

    @Test func aConnectionThatMayNotJoinWaitsBeforeItAsksAgain() {
        var driver = driverWithTwoConnections(size: 9_500)
        #expect(driver.slots.count == 2)
        for _ in 0..<5 {
            driver.frame(.sessionRefused(SessionRefused(code: .busy, retryAfterMilliseconds: 0, message: "")))
            driver.tick(after: .zero)
        }
        #expect(driver.slots.count == 2)
        driver.tick(after: .seconds(5))
        #expect(driver.slots.count == 3)
    }

    /// Its last connection was only joining, and was refused.
    @Test func anUploadWithoutAnyConnectionIsResumed() {
        var driver = driverWithTwoConnections()
        let first = driver.slots[0].connection
        let second = driver.slots[1]
        driver.change { $0.connectionLost(first, now: $1) }
        driver.change {
            $0.receivedFrame(
                .sessionRefused(SessionRefused(code: .busy, retryAfterMilliseconds: 0, message: "")), slot: second.slot,
                from: second.connection, now: $1)
        }
        let resumed = frames(driver.tick(after: .seconds(5)))
        #expect(resumed.contains { if case .resumeQuery = $0 { true } else { false } })
    }

    /// Completion went with its connection; the slot on the other one is left, or it would be in use for ever.
    @Test func theOtherSlotsAreLeftWhenTheCompletingConnectionIsLost() {
        var driver = driverWithTwoConnections()
        let places = driver.slots
        driver.change {
            $0.receivedFrame(AgentDriver.resumeState(), slot: places[1].slot, from: places[1].connection, now: $1)
        }
        let pieces = GatewayDriver.entries(of: 2_500)
        for _ in pieces { driver.read() }
        for entry in pieces {
            for place in places {
                driver.change {
                    $0.receivedFrame(
                        .partDecision(PartDecision(part: entry.part, decision: .have(etag: entry.etag))),
                        slot: place.slot, from: place.connection, now: $1)
                }
            }
        }
        driver.commit()
        let completing = driver.change { $0.fileChecked(.success(AgentDriver.stamp), of: AgentDriver.upload, now: $1) }
        let at = completing.compactMap { action -> ConnectionID? in
            if case .send(let id, _, .complete) = action { id } else { nil }
        }
        #expect(at.count == 1)
        guard let lost = at.first else { return }
        let actions = driver.change { $0.connectionLost(lost, now: $1) }
        #expect(frames(actions).contains(.sessionLeave(SessionLeave())))
        #expect(frames(actions).contains { if case .resumeQuery = $0 { true } else { false } })
    }

    @Test func anUnknownCodeIsTreatedByItsScope() throws {
        let code = ErrorCode(rawValue: 0x7777)
        var driver = AgentTableTests.driver(in: .sendingDecided)
        driver.frame(.error(ErrorReport(scope: .connection, code: code, retryAfterMilliseconds: 0, message: "")))
        #expect(driver.outcomes.isEmpty)
        let again = driver.tick(after: .seconds(5))
        #expect(again.contains { if case .connect = $0 { true } else { false } })

        driver = AgentTableTests.driver(in: .sendingDecided)
        let part = try #require(PartNumber(1))
        driver.frame(.error(ErrorReport(scope: .part(part), code: code, retryAfterMilliseconds: 0, message: "")))
        while !driver.chunks.isEmpty { driver.chunkSent() }
        #expect(offers(driver.tick(after: .seconds(5))) == [1])

        driver = AgentTableTests.driver(in: .sendingDecided)
        driver.frame(.error(ErrorReport(scope: .session, code: code, retryAfterMilliseconds: 0, message: "")))
        driver.commit()
        #expect(driver.outcomes.isEmpty)
        let resumed = frames(driver.tick(after: .seconds(5)))
        #expect(resumed.contains { if case .resumeQuery = $0 { true } else { false } })
    }

    /// Evidence that contradicts what was sent is no success, whoever says so.
    @Test func anObjectOfOtherContentIsNotTakenForTheFile() {
        var driver = AgentTableTests.driver(in: .completing)
        driver.frame(AgentDriver.completed(evidence: .root(ToyDigest.sha256([9]))))
        driver.commit()
        guard case .failed(let failure)? = driver.outcomes.first else {
            Issue.record("\(driver.outcomes)")
            return
        }
        #expect(failure.kind == .keyTaken)
    }

    /// What was completed before is taken for the file where its root is the one that the journal's digests give.
    @Test func aResumedFileIsDoneWhereTheRootAgrees() {
        let root = GatewayDriver.complete(2_500).root
        var driver = AgentDriver()
        driver.submit(size: 2_500, saved: AgentDriver.saved(stored: 3))
        driver.welcome()
        driver.frame(AgentDriver.completed(evidence: .root(root)))
        driver.commit()
        guard case .stored(let receipt, wasThere: false)? = driver.outcomes.first else {
            Issue.record("\(driver.outcomes)")
            return
        }
        #expect(receipt.root == root)
    }

    /// An agent with the same identity may have completed the session with another file: what is not proven by digests
    /// is read and compared.
    @Test(arguments: [
        (1, ContentEvidence.root(GatewayDriver.complete(2_500).root)), (3, .compositeMD5("etag-3")),
        (3, .wholeDigest(ToyDigest.sha256([1]))),
    ])
    func aResumedFileIsComparedWhereNothingProvesIt(stored: Int, evidence: ContentEvidence) {
        var driver = AgentDriver()
        driver.submit(size: 2_500, saved: AgentDriver.saved(stored: stored))
        driver.welcome()
        let actions = driver.frame(AgentDriver.completed(evidence: evidence))
        #expect(
            actions.contains { action in
                if case .computeEvidence(_, _, _, like: evidence) = action { true } else { false }
            })
        #expect(driver.outcomes.isEmpty)
    }

    /// There is nothing to compare with, and so no success.
    @Test func aResumedFileWithoutEvidenceIsNotTakenForDone() {
        var driver = AgentDriver()
        driver.submit(size: 2_500, saved: AgentDriver.saved(stored: 3))
        driver.welcome()
        driver.frame(AgentDriver.completed(evidence: .none))
        driver.commit()
        guard case .failed(let failure)? = driver.outcomes.first else {
            Issue.record("\(driver.outcomes)")
            return
        }
        #expect(failure.kind == .keyTaken)
    }

    /// The user drops the new version while the old one is being dropped.
    @Test func aDropCountsWhileAnOlderVersionIsBeingDropped() {
        var driver = AgentDriver()
        driver.submit(size: 2_400, saved: AgentDriver.saved())
        driver.welcome()
        driver.change { $0.drop(AgentDriver.upload, now: $1) }
        driver.frame(.aborted(Aborted()))
        driver.commit()
        #expect(driver.outcomes == [.dropped])
    }

    /// A store that is away when it should complete is given up in time, however often the session is resumed.
    @Test func resumingIsNoProgress() {
        var driver = AgentTableTests.driver(in: .completing)
        var rounds = 0
        while driver.outcomes.isEmpty, rounds < 1_000 {
            rounds += 1
            driver.frame(
                .error(ErrorReport(scope: .session, code: .storeUnavailable, retryAfterMilliseconds: 0, message: "")))
            driver.tick(after: .seconds(61))
            driver.frame(.ping(Ping(nonce: 1)))
            driver.frame(AgentDriver.resumeState())
            driver.change { $0.fileChecked(.success(AgentDriver.stamp), of: AgentDriver.upload, now: $1) }
            driver.commit()
        }
        #expect(rounds < 10)
        guard case .failed(let failure)? = driver.outcomes.first else { return }
        #expect(failure.kind == .storeUnavailable)
    }

    /// Whatever closes a slot leaves nobody waiting for an answer that will never come, and no loop either.
    @Test(arguments: [AgentTableTests.State.aborting, .opening, .resuming, .transferring])
    func aFrameThatIsNoAnswerDoesNotStrandAnUpload(state: AgentTableTests.State) {
        for frame in [Frame.aborted(Aborted()), AgentDriver.resumeState(.lost), AgentDriver.completed()] {
            var driver = AgentTableTests.driver(in: state)
            let slots = driver.slots.count
            driver.frame(frame)
            driver.commit()
            guard driver.outcomes.isEmpty else { continue }
            for _ in 0..<3 {
                driver.tick(after: .seconds(2))
                driver.commit()
            }
            #expect(driver.slots.count > slots, "\(state), \(frame.type)")
        }
    }
}
