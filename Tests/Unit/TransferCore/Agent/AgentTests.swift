import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// Regression tests for cases of the agent that are hard to reproduce over a network connection.
@Suite struct AgentTests {
    private func offers(_ actions: [AgentAction]) -> [UInt32] {
        frames(actions).compactMap { if case .partOffer(let offer) = $0 { offer.part.value } else { nil } }
    }

    private func later(_ part: PartNumber) -> Frame {
        .partDecision(PartDecision(part: part, decision: .later(code: .busy, retryAfterMilliseconds: 10)))
    }

    /// The agent must not offer a part again while chunks of its first offer are still queued. Frames overtake queued
    /// chunks, so the gateway would count such a chunk as data of the second offer.
    @Test func waitingChunksPreventANewOffer() throws {
        var driver = AgentTableTests.driver(in: .sendingUndecided)
        let part = try #require(PartNumber(1))
        #expect(driver.chunks.count == 2)
        driver.frame(later(part))
        #expect(offers(driver.tick(after: .seconds(5))).isEmpty)
        #expect(offers(driver.chunkSent()).isEmpty)
        #expect(offers(driver.chunkSent()) == [1])
    }

    /// Chunks that were sent for an earlier offer do not count for the next one. If they did, COMPLETE would overtake
    /// the data.
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

    /// The gateway closed the slot, but chunks of the slot's old session are still queued. Until they are sent, the
    /// agent must not use the slot for another session, because the gateway would add the chunks to that session.
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

    @Test func failedChunkOfAnOldOfferIsIgnored() throws {
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

    /// Submits an upload to an agent that may use two connections, establishes only the first of them, and reads four
    /// parts.
    ///
    /// - Returns: how many parts the agent offered on the first connection.
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

    @Test func newConnectionGetsItsShareOfTheParts() {
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

    @Test func partsOfAFailedConnectionMoveToAnother() {
        var driver = AgentDriver { $0.connections = 2 }
        #expect(readBeforeTheSecondIsThere(&driver) == 2)
        let (first, second) = (driver.connections[0], driver.connections[1])
        let actions = driver.change { $0.connectionLost(second, now: $1) }
        #expect(offers(actions, on: first) == 2)
    }

    @Test func refusedJoinWaitsBeforeTheRetry() {
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

    /// The session is open on one connection, which is lost. On the other connection the agent has asked to join the
    /// session, and the gateway has refused. The session is then open on no connection, so the agent resumes it.
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

    /// The connection on which the upload was completing is lost. The agent sends SESSION LEAVE in the slot on the
    /// other connection; otherwise that slot would stay in use.
    @Test func lostCompletionLeavesTheOtherSlots() {
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

    @Test func otherContentIsNotMistakenForTheFile() {
        var driver = AgentTableTests.driver(in: .completing)
        driver.frame(AgentDriver.completed(evidence: .root(ToyDigest.sha256([9]))))
        driver.commit()
        guard case .failed(let failure)? = driver.outcomes.first else {
            Issue.record("\(driver.outcomes)")
            return
        }
        #expect(failure.kind == .keyTaken)
    }

    @Test func resumedFileIsDoneIfTheRootMatches() {
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

    /// Another agent with the same identity may have completed the session with another file. If the digests in the
    /// journal do not prove that the object equals the file, the agent reads the file and compares it with the object.
    @Test(arguments: [
        (1, ContentEvidence.root(GatewayDriver.complete(2_500).root)), (3, .compositeMD5("etag-3")),
        (3, .wholeDigest(ToyDigest.sha256([1]))),
    ])
    func resumedFileWithoutProofIsCompared(stored: Int, evidence: ContentEvidence) {
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

    @Test func resumedFileNeedsEvidence() {
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

    /// The user drops the new version of a file while the agent is still aborting the session of the old version. When
    /// the abort is done, the upload ends as dropped.
    @Test func dropCountsDuringAnotherDrop() {
        var driver = AgentDriver()
        driver.submit(size: 2_400, saved: AgentDriver.saved())
        driver.welcome()
        driver.change { $0.drop(AgentDriver.upload, now: $1) }
        driver.frame(.aborted(Aborted()))
        driver.commit()
        #expect(driver.outcomes == [.dropped])
    }

    /// At completion the store stays unavailable. The agent resumes the session again and again, but resuming does not
    /// count as progress, so the agent gives up after its time limit.
    @Test func resumingIsNoProgress() {
        var driver = AgentTableTests.driver(in: .completing)
        var rounds = 0
        while driver.outcomes.isEmpty, rounds < 1_000 {
            rounds += 1
            driver.frame(
                .error(ErrorReport(scope: .session, code: .storeUnavailable, retryAfterMilliseconds: 0, message: "")))
            for _ in 0..<4 {
                driver.tick(after: .seconds(16))
                driver.frame(.ping(Ping(nonce: 1)))
            }
            driver.frame(AgentDriver.resumeState())
            driver.change { $0.fileChecked(.success(AgentDriver.stamp), of: AgentDriver.upload, now: $1) }
            driver.commit()
        }
        #expect(rounds < 20)
        guard case .failed(let failure)? = driver.outcomes.first else { return }
        #expect(failure.kind == .storeUnavailable)
    }

    /// A frame that does not answer the agent's request closes the slot. The upload neither waits endlessly nor resumes
    /// again and again.
    @Test(arguments: [AgentTableTests.State.aborting, .opening, .resuming, .transferring])
    func unrelatedFrameStrandsNoUpload(state: AgentTableTests.State) {
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
