import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// Frames may arrive behind SESSION OPEN or RESUME QUERY before the gateway has answered that frame. The gateway holds
/// them, and decides on them after its answer (§6.1, §8.1).
@Suite struct SentAheadTests {
    private static func types(_ actions: [GatewayAction]) -> [FrameType] { frames(actions).map(\.type) }

    private static func decisions(_ actions: [GatewayAction]) -> [UInt32: PartDecision.Decision] {
        var decisions: [UInt32: PartDecision.Decision] = [:]
        for case .partDecision(let decision) in frames(actions) { decisions[decision.part.value] = decision.decision }
        return decisions
    }

    @Test func offersBehindAQueryAreDecidedBehindItsAnswer() throws {
        var driver = GatewayDriver()
        driver.connect()
        let entries = GatewayDriver.entries(of: 2_500)
        driver.frame(.resumeQuery(ResumeQuery(listedParts: 1, token: GatewayDriver.token())))
        driver.frame(.partList(PartList(entries: [entries[0]], isLast: true)))
        for part in [2, 3] as [UInt32] {
            #expect(Self.types(driver.frame(.partOffer(try #require(GatewayDriver.offer(part, of: 2_500))))) == [])
        }
        #expect(driver.data(part: 3, bytes: 200) != .discard)
        let answered = driver.answer(.parts(Array(entries.prefix(2))))
        #expect(Self.types(answered) == [.resumeState, .partList, .partDecision, .partDecision])
        for case .resumeState(let state) in frames(answered) { #expect(state.partials == []) }
        let decisions = Self.decisions(answered)
        #expect(decisions[2] == .have(etag: "etag-2"))
        guard case .send(offset: 200, limit: _)? = decisions[3] else {
            Issue.record("\(decisions)")
            return
        }
    }

    /// An agent skips a decision that arrives before the answer to its SESSION OPEN or RESUME QUERY. The gateway
    /// therefore sends every decision after that answer, also the deferral of a part for which it has no room.
    @Test(arguments: [true, false])
    func partsWithoutRoomAreDecidedBehindTheAnswer(isResuming: Bool) throws {
        var driver = GatewayDriver { $0.partsPerSessionMax = 1 }
        driver.connect()
        if isResuming {
            driver.frame(.resumeQuery(ResumeQuery(listedParts: 0, token: GatewayDriver.token())))
        } else {
            driver.frame(.sessionOpen(GatewayDriver.open(size: 2_500)))
        }
        for part in [1, 2] as [UInt32] {
            #expect(Self.types(driver.frame(.partOffer(try #require(GatewayDriver.offer(part, of: 2_500))))) == [])
        }
        var answered: [GatewayAction] = []
        if isResuming {
            answered = driver.answer(.parts([]))
        } else {
            for answer in [.object(nil), .records([]), .done, .uploadCreated(upload: "u"), .done] as [StoreAnswer] {
                answered = driver.answer(answer)
            }
        }
        #expect(Self.types(answered).first == (isResuming ? .resumeState : .sessionOpened))
        let decisions = Self.decisions(answered)
        #expect(decisions.count == 2)
        if case .later(.busy, _)? = decisions[2] {} else { Issue.record("\(decisions)") }
    }

    @Test func framesSentAheadEndWithTheirSlot() throws {
        var driver = try GatewayTableTests.driver(in: .resuming)
        driver.frame(.partOffer(try #require(GatewayDriver.offer(1, of: 2_500))))
        driver.data(bytes: 200)
        #expect(driver.flows.count == 1)
        driver.answer(.failed(.denied))
        #expect(driver.flows.isEmpty)
        #expect(driver.machine.slotsInUse == 0)
        #expect(driver.frame(.partOffer(try #require(GatewayDriver.offer(2, of: 2_500)))).isEmpty)
    }

    /// A session asks the store about its upload while a slot resumes it. The part that was offered in the slot is
    /// stored, or fails, before the slot is answered. The decision behind the answer says so.
    @Test(arguments: [true, false])
    func outcomeOfAPartBecomesTheDecisionBehindTheAnswer(isStored: Bool) throws {
        var driver = GatewayDriver { $0.windowBytes = 1_000 }
        driver.connect()
        driver.frame(.resumeQuery(ResumeQuery(listedParts: 0, token: GatewayDriver.token(size: 4_500))))
        driver.answer(.parts([]))
        let offer = try #require(GatewayDriver.offer(4, of: 4_500))
        driver.frame(.partOffer(offer))
        for offset in stride(from: UInt64(0), to: 1_000, by: 200) { driver.data(part: 4, offset: offset, bytes: 200) }
        let upload = try #require(driver.requests.first)
        driver.requests.removeAll()
        for part in 1...3 as ClosedRange<UInt32> {
            driver.frame(.partOffer(try #require(GatewayDriver.offer(part, of: 4_500))))
            driver.answer(.failed(.unavailable(retryAfter: .zero)))
        }
        guard case .listParts? = driver.requests.first?.request else {
            Issue.record("\(driver.requests)")
            return
        }
        driver.change { $0.connectionLost(GatewayDriver.connection, now: $1) }
        let id = driver.newConnection()
        driver.connect(id, run: 2)
        let token = try #require(driver.tokens.last)
        #expect(Self.types(driver.frame(.resumeQuery(ResumeQuery(listedParts: 0, token: token)), from: id)) == [])
        #expect(Self.types(driver.frame(.partOffer(offer), from: id)) == [])
        driver.requests.insert(upload, at: 0)
        let outcome: StoreAnswer =
            isStored ? .partStored(etag: "etag-4") : .failed(.unavailable(retryAfter: .zero))
        #expect(Self.types(driver.answer(outcome)) == [])
        let answered = driver.answer(.parts(isStored ? [GatewayDriver.entries(of: 4_500)[3]] : []))
        #expect(Self.types(answered).first == .resumeState)
        switch Self.decisions(answered)[4] {
        case .have(etag: "etag-4"): #expect(isStored)
        case .later: #expect(!isStored)
        case let other: Issue.record("\(String(describing: other))")
        }
    }

    /// Only the agent's list of stored parts shows whether another gateway may be completing the upload. Parts that the
    /// agent offers behind RESUME QUERY do not count as stored, so the gateway soon reports the missing upload as lost.
    @Test func offersBehindAQueryDoNotMakeItPatient() throws {
        var driver = GatewayDriver { $0.completionTimeMax = .seconds(60) }
        driver.connect()
        driver.frame(.resumeQuery(ResumeQuery(listedParts: 0, token: GatewayDriver.token())))
        for part in 1...3 as ClosedRange<UInt32> {
            driver.frame(.partOffer(try #require(GatewayDriver.offer(part, of: 2_500))))
        }
        driver.answer(.failed(.uploadUnknown))
        let began = driver.now
        while driver.machine.slotsInUse > 0, driver.now.since(began) < .seconds(50) {
            driver.answer(.object(nil))
            driver.tick(after: .seconds(1))
        }
        #expect(driver.now.since(began) < .seconds(10))
    }
}
