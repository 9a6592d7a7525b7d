import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// What the agent sends before the gateway answers, and how it uses the parts that the answer names without an offer
/// (specification §8.1, §8.3). Of a *partial* the gateway holds the first bytes. A *candidate* is a stored part that
/// the agent did not list.
@Suite struct NamedPartTests {
    private static func partial(
        _ part: UInt32, offset: UInt64, limit: UInt64 = 1_000, digest: SHA256Digest? = nil
    ) throws -> PartialPart {
        let own = ToyDigest.sha256(GatewayDriver.bytes(part, of: 2_500))
        return PartialPart(
            part: try #require(PartNumber(part)), digest: digest ?? own, offset: offset, limit: limit)
    }

    private static func state(_ partials: [PartialPart] = [], candidates: UInt32 = 0) -> Frame {
        .resumeState(
            ResumeState(
                phase: .ongoing, partBytes: 1_000, candidateParts: candidates, partials: partials, wanted: [],
                token: [4, 5]))
    }

    private static func queries(_ actions: [AgentAction]) -> [ResumeQuery] {
        frames(actions).compactMap { if case .resumeQuery(let query) = $0 { query } else { nil } }
    }

    private static func offers(_ actions: [AgentAction]) -> [UInt32] {
        frames(actions).compactMap { if case .partOffer(let offer) = $0 { offer.part.value } else { nil } }
    }

    private static func journaled(_ actions: [AgentAction]) -> [PartListEntry] {
        actions.compactMap { if case .journal(_, .stored(_, let entry)) = $0 { entry } else { nil } }
    }

    private func chunks(_ driver: AgentDriver) -> [[UInt64]] {
        driver.chunks.map { [UInt64($0.part.value), $0.offset, UInt64($0.plainBytes)] }
    }

    private func resuming(stored: Int = 0, concurrency: Int = 1) -> (driver: AgentDriver, sent: [AgentAction]) {
        var driver = AgentDriver {
            $0.concurrency = concurrency
            $0.chunkBytesMax = 4_096
        }
        driver.submit(size: 2_500, saved: AgentDriver.saved(stored: stored))
        let sent = driver.welcome()
        return (driver, sent)
    }

    // MARK: The question

    /// The agent asks for partials in RESUME QUERY. If the connection is cut before the answer, it has received none,
    /// so it asks again in the next query.
    @Test func aRunAsksForPartialsUntilAQueryIsAnswered() {
        var (driver, sent) = resuming()
        #expect(Self.queries(sent).map(\.asksForPartials) == [true])
        _ = driver.connectionLost()
        driver.tick(after: .seconds(1))
        #expect(Self.queries(driver.welcome()).map(\.asksForPartials) == [true])
        driver.frame(AgentDriver.resumeState())
        _ = driver.connectionLost()
        driver.tick(after: .seconds(1))
        #expect(Self.queries(driver.welcome()).map(\.asksForPartials) == [false])
    }

    /// The run that opened the session knows which parts it was sending, so it does not ask for partials.
    @Test func theRunThatOpenedTheSessionDoesNotAsk() {
        var driver = AgentDriver()
        driver.submit(size: 2_500)
        driver.welcome()
        driver.commit()
        driver.frame(AgentDriver.opened(driver.session))
        _ = driver.connectionLost()
        driver.tick(after: .seconds(1))
        #expect(Self.queries(driver.welcome()).map(\.asksForPartials) == [false])
    }

    /// The gateway held other bytes of the part, and the store has confirmed them while the offer was on its way. The
    /// agent must not take that for a confirmation of its own bytes.
    @Test func storedBeforeTheDecisionIsAboutOtherBytes() throws {
        var (driver, _) = resuming()
        driver.frame(Self.state([try Self.partial(1, offset: 1_000, digest: ToyDigest.sha256([9]))]))
        #expect(Self.offers(driver.read()) == [1])
        let part = try #require(PartNumber(1))
        #expect(Self.journaled(driver.frame(.stored(Stored(part: part, etag: "old")))) == [])
        driver.frame(.partDecision(PartDecision(part: part, decision: .send(offset: 0, limit: 1_000))))
        #expect(Self.journaled(driver.frame(.stored(Stored(part: part, etag: "new")))).map(\.etag) == ["new"])
    }

    // MARK: Before the answer

    /// The agent offers parts behind RESUME QUERY without waiting for the answer, so resuming costs one round trip.
    @Test func partsAreOfferedBehindTheQuery() {
        var (driver, _) = resuming(stored: 1, concurrency: 2)
        #expect(driver.reads.map(\.value) == [2, 3])
        #expect(Self.offers(driver.read()) == [2])
        #expect(Self.offers(driver.read()) == [3])
        // The data waits for the decisions, because the gateway may hold the beginning of each part.
        #expect(driver.chunks.isEmpty)
        driver.frame(Self.state())
        #expect(driver.chunks.isEmpty)
        for part in [2, 3] as [UInt32] {
            guard let number = PartNumber(part) else { return }
            let decision = PartDecision(part: number, decision: .send(offset: 100, limit: 200))
            driver.frame(.partDecision(decision))
        }
        #expect(chunks(driver) == [[2, 100, 100], [3, 100, 100]])
    }

    /// If the store holds a part without a SHA-256 digest, the agent proves the part's content by its MD5. It learns
    /// which parts these are from the answer to RESUME QUERY, which may follow the offer. So it computes the MD5 of
    /// every part that it reads before the answer.
    @Test func readsBeforeTheFirstAnswerHaveAnMD5() {
        let (_, sent) = resuming(stored: 1)
        let reads = sent.compactMap { action -> Bool? in
            if case .readPart(_, _, _, _, let withMD5, _) = action { withMD5 } else { nil }
        }
        #expect(reads == [true])
    }

    /// For a slot that is not open the gateway keeps at most 64 decisions, so the agent offers at most 64 parts before
    /// the answer.
    @Test func noMoreThan64PartsAreOfferedAhead() {
        var driver = AgentDriver { $0.concurrency = 100 }
        driver.submit(size: 80_000, saved: AgentDriver.saved(size: 80_000, stored: 0))
        driver.welcome()
        var offers: [UInt32] = []
        while !driver.reads.isEmpty { offers += Self.offers(driver.read(size: 80_000)) }
        #expect(offers.count == 64)
        #expect(Self.offers(driver.frame(Self.state())).count == 16)
    }

    // MARK: Partials

    @Test func partialContinuesWithoutAnOffer() throws {
        var (driver, _) = resuming()
        driver.frame(Self.state([try Self.partial(1, offset: 300, limit: 400)]))
        let read = driver.read()
        #expect(Self.offers(read) == [])
        #expect(chunks(driver) == [[1, 300, 100]])
        let part = try #require(PartNumber(1))
        driver.frame(.received(Received(part: part, received: 400, limit: 1_000)))
        driver.chunkSent()
        #expect(chunks(driver).first == [1, 400, 256])
        while !driver.chunks.isEmpty { driver.chunkSent() }
        let stored = driver.frame(.stored(Stored(part: part, etag: "e")))
        #expect(Self.journaled(stored).map(\.etag) == ["e"])
    }

    @Test func limitRaisedBeforeTheReadCounts() throws {
        var (driver, _) = resuming()
        driver.frame(Self.state([try Self.partial(1, offset: 300, limit: 400)]))
        let part = try #require(PartNumber(1))
        driver.frame(.received(Received(part: part, received: 300, limit: 500)))
        driver.read()
        #expect(chunks(driver) == [[1, 300, 200]])
    }

    /// STORED may arrive before or after the agent has read the part.
    @Test(arguments: [true, false])
    func aWholePartialIsStored(isEarly: Bool) throws {
        var (driver, _) = resuming()
        driver.frame(Self.state([try Self.partial(1, offset: 1_000)]))
        let part = try #require(PartNumber(1))
        var actions: [AgentAction] = []
        if isEarly { actions += driver.frame(.stored(Stored(part: part, etag: "e"))) }
        #expect(Self.journaled(actions) == [])
        actions += driver.read()
        if !isEarly { actions += driver.frame(.stored(Stored(part: part, etag: "e"))) }
        #expect(Self.journaled(actions).map(\.etag) == ["e"])
        #expect(!Self.offers(actions).contains(1) && driver.chunks.allSatisfy { $0.part != part })
    }

    /// A partial with another digest holds other bytes than the file's part, so the agent cannot continue it.
    @Test(arguments: [300, 1_000] as [UInt64])
    func aPartialOfAnotherDigestIsOffered(offset: UInt64) throws {
        var (driver, _) = resuming()
        driver.frame(Self.state([try Self.partial(1, offset: offset, digest: ToyDigest.sha256([9]))]))
        let part = try #require(PartNumber(1))
        if offset == 1_000 { driver.frame(.stored(Stored(part: part, etag: "e"))) }
        let read = driver.read()
        #expect(Self.offers(read) == [1])
        #expect(Self.journaled(read) == [] && driver.chunks.isEmpty)
    }

    /// The agent has already offered a part that the answer then names as a partial: the gateway sent the answer before
    /// it read the offer. The agent waits for the decision on its offer.
    @Test func offeredAndNamedPartAwaitsItsDecision() throws {
        var (driver, _) = resuming()
        #expect(Self.offers(driver.read()) == [1])
        driver.frame(Self.state([try Self.partial(1, offset: 300)]))
        #expect(driver.chunks.isEmpty)
        let part = try #require(PartNumber(1))
        driver.frame(.partDecision(PartDecision(part: part, decision: .send(offset: 500, limit: 600))))
        #expect(chunks(driver) == [[1, 500, 100]])
    }

    @Test func anEvictedPartialIsOffered() throws {
        var (driver, _) = resuming()
        driver.frame(Self.state([try Self.partial(1, offset: 300)]))
        let part = try #require(PartNumber(1))
        driver.frame(
            .error(ErrorReport(scope: .part(part), code: .partInterrupted, retryAfterMilliseconds: 0, message: "")))
        #expect(driver.outcomes.isEmpty)
        #expect(Self.offers(driver.read()) == [1])
        #expect(driver.chunks.isEmpty)
    }

    @Test func aPartialThatTheStoreRefusesEndsTheUpload() throws {
        var (driver, _) = resuming()
        driver.frame(Self.state([try Self.partial(1, offset: 300)]))
        let part = try #require(PartNumber(1))
        driver.frame(
            .error(ErrorReport(scope: .part(part), code: .storeRefuses, retryAfterMilliseconds: 0, message: "no")))
        driver.commit()
        guard case .failed(let failure)? = driver.outcomes.first else {
            Issue.record("\(driver.outcomes)")
            return
        }
        #expect(failure.kind == .storeRefuses)
    }

    /// A partial applies only to the slot in which the gateway named it.
    @Test func aPartialIsForgottenWithItsSlot() throws {
        var (driver, _) = resuming()
        driver.frame(Self.state([try Self.partial(1, offset: 300)]))
        _ = driver.connectionLost()
        driver.tick(after: .seconds(1))
        driver.welcome()
        #expect(Self.offers(driver.read()) == [1])
        driver.frame(Self.state())
        #expect(driver.chunks.isEmpty)
    }

    /// A partial that the gateway named in one use of a slot is void in the next use, even if the session, the
    /// connection and the number of the slot are the same.
    @Test func reusedSlotForgetsThePartial() throws {
        var (driver, _) = resuming()
        driver.frame(Self.state([try Self.partial(1, offset: 300)]))
        let first = driver.slots.last
        driver.frame(.error(ErrorReport(scope: .session, code: .busy, retryAfterMilliseconds: 0, message: "")))
        driver.tick(after: .seconds(1))
        #expect(driver.slots.count == 2 && driver.slots.last?.slot == first?.slot)
        driver.frame(Self.state())
        #expect(Self.offers(driver.read()) == [1])
        #expect(driver.chunks.isEmpty)
    }

    // MARK: Candidates

    @Test func candidateWithAnEqualDigestIsStored() {
        var (driver, _) = resuming(stored: 1)
        driver.frame(Self.state(candidates: 1))
        let entry = GatewayDriver.entries(of: 2_500)[1]
        driver.frame(.partList(PartList(entries: [entry], isLast: true)))
        let read = driver.read()
        #expect(Self.offers(read) == [])
        #expect(Self.journaled(read) == [entry])
    }

    @Test func aCandidateThatIsWantedAgainIsOffered() throws {
        var (driver, _) = resuming(stored: 2)
        driver.frame(Self.state(candidates: 1))
        let entry = GatewayDriver.entries(of: 2_500)[2]
        driver.frame(.partList(PartList(entries: [entry], isLast: true)))
        // The connection is cut before the agent reads the part. The agent offers it behind the next query.
        _ = driver.connectionLost()
        driver.tick(after: .seconds(1))
        driver.welcome()
        #expect(Self.offers(driver.read()) == [3])
        driver.frame(Self.state())
        driver.frame(.partDecision(PartDecision(part: entry.part, decision: .have(etag: entry.etag))))
        driver.commit()
        driver.change { $0.fileChecked(.success(AgentDriver.stamp), of: AgentDriver.upload, now: $1) }
        driver.frame(.partsWanted(PartsWanted(parts: [entry.part])))
        #expect(Self.offers(driver.read()) == [3])
    }

    @Test func aCandidateOfAnotherDigestIsOffered() {
        var (driver, _) = resuming(stored: 1)
        driver.frame(Self.state(candidates: 1))
        let entry = GatewayDriver.entries(of: 2_500)[1]
        let other = PartListEntry(
            part: entry.part, size: entry.size, digest: ToyDigest.sha256([9]), etag: entry.etag)
        driver.frame(.partList(PartList(entries: [other], isLast: true)))
        #expect(Self.offers(driver.read()) == [2])
    }

    // MARK: Adoption

    private func adopted(_ partials: [PartialPart] = [], candidates: UInt32 = 0) -> (AgentDriver, [AgentAction]) {
        var driver = AgentDriver {
            $0.concurrency = 1
            $0.chunkBytesMax = 4_096
        }
        driver.submit(size: 2_500)
        driver.welcome()
        driver.commit()
        let opened = SessionOpened(
            session: SessionID(high: 5, low: 5), partBytes: 1_000, token: [4],
            adoption: .init(candidateParts: candidates, partials: partials))
        let actions = driver.frame(.sessionOpened(opened))
        return (driver, actions)
    }

    /// SESSION OPENED for an adopted session names the partials that the gateway holds. The agent continues them
    /// without an offer.
    @Test func anAdoptedSessionCostsNoSecondExchange() throws {
        var (driver, actions) = adopted([try Self.partial(1, offset: 300, limit: 400)])
        #expect(frames(actions) == [])
        #expect(driver.session == SessionID(high: 5, low: 5))
        driver.read()
        #expect(chunks(driver) == [[1, 300, 100]])
    }

    /// SESSION OPENED announces a list of stored parts. The agent reads no part before that list: if the list names a
    /// part without a digest, the agent must offer it with an MD5, which it computes while it reads.
    @Test func candidatesOfAnAdoptedSessionAreReadFirst() {
        var (driver, _) = adopted(candidates: 1)
        #expect(driver.reads.isEmpty)
        let entry = GatewayDriver.entries(of: 2_500)[1]
        let bare = PartListEntry(part: entry.part, size: entry.size, digest: nil, etag: entry.etag)
        let actions = driver.frame(.partList(PartList(entries: [bare], isLast: true)))
        let reads = actions.compactMap { action -> Bool? in
            if case .readPart(_, entry.part, _, _, let withMD5, _) = action { withMD5 } else { nil }
        }
        #expect(reads == [true])
    }

    /// All parts come from the adopted session. The agent sends COMPLETE only when its journal holds them. It does not
    /// mark this COMPLETE as the first, because an earlier run may have sent one.
    @Test func completeWaitsForTheJournal() throws {
        var (driver, _) = adopted(candidates: 3)
        var actions = driver.frame(.partList(PartList(entries: GatewayDriver.entries(of: 2_500), isLast: true)))
        while !driver.reads.isEmpty { actions += driver.read() }
        #expect(!actions.contains { if case .checkFile = $0 { true } else { false } })
        #expect(driver.commit().contains { if case .checkFile = $0 { true } else { false } })
        let checked = driver.change { $0.fileChecked(.success(AgentDriver.stamp), of: AgentDriver.upload, now: $1) }
        let completes = frames(checked).compactMap { if case .complete(let complete) = $0 { complete } else { nil } }
        #expect(completes.map(\.isFirst) == [false])
    }

    @Test func aSessionOfAnotherPartSizeIsNoAdoption() {
        var driver = AgentDriver()
        driver.submit(size: 2_500)
        driver.welcome()
        driver.commit()
        let opened = SessionOpened(
            session: SessionID(high: 5, low: 5), partBytes: 500, token: [4],
            adoption: .init(candidateParts: 0, partials: []))
        driver.frame(.sessionOpened(opened))
        driver.commit()
        guard case .failed(let failure)? = driver.outcomes.first else {
            Issue.record("\(driver.outcomes)")
            return
        }
        #expect(failure.kind == .protocolViolation)
    }

    /// The file is touched while the agent reads its only part, so the agent reads the part a second time. Both reads
    /// must compute the MD5 for the offer.
    @Test func secondReadKeepsTheMD5() throws {
        var driver = AgentDriver()
        driver.submit(size: 900, saved: AgentDriver.saved(size: 900, stored: 0))
        driver.welcome()
        let asked = driver.frame(AgentDriver.opened(SessionID(high: 7, low: 7)))
        #expect(Self.readsWithMD5(asked) == [true])
        var touched = AgentDriver.stamp(size: 900)
        touched.change = AgentTableTests.Event.stampTouched.change
        let part = try #require(PartNumber(1))
        let bytes: [UInt8] = [1, 2, 3]
        let reading = PartReading.read(digest: ToyDigest.sha256(bytes), md5: ToyDigest.md5(bytes), stamp: touched)
        let again = driver.change { $0.partRead(part, of: AgentDriver.upload, reading, now: $1) }
        #expect(Self.readsWithMD5(again) == [true])
    }

    private static func readsWithMD5(_ actions: [AgentAction]) -> [Bool] {
        actions.compactMap { if case .readPart(_, _, _, _, let withMD5, _) = $0 { withMD5 } else { nil } }
    }
}
