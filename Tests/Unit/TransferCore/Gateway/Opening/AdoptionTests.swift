import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// The answer to SESSION OPEN may be the adoption of an unfinished session with equal terms. The agent then needs no
/// second exchange (specification §8.3).
@Suite struct AdoptionTests {
    private static let slot = GatewayDriver.slot
    private static let entries = GatewayDriver.entries(of: 2_500)

    static func record(_ number: UInt64) -> SessionRecord {
        SessionRecord(
            device: GatewayDriver.device.name, session: SessionID(high: 0, low: number),
            terms: GatewayDriver.terms(size: 2_500), upload: "upload-\(number)")
    }

    private static func adoption(_ frames: [Frame]) -> SessionOpened? {
        for case .sessionOpened(let opened) in frames where opened.isAdopted { return opened }
        return nil
    }

    private static func decisions(_ frames: [Frame]) -> [UInt32: PartDecision.Decision] {
        var decisions: [UInt32: PartDecision.Decision] = [:]
        for case .partDecision(let decision) in frames { decisions[decision.part.value] = decision.decision }
        return decisions
    }

    private func opening(
        _ records: [SessionRecord], _ driver: inout GatewayDriver,
        from id: ConnectionID = GatewayDriver.connection
    ) -> [Frame] {
        driver.frame(.sessionOpen(GatewayDriver.open(size: 2_500, session: SessionID(high: 9, low: 9))), from: id)
        driver.answer(.object(nil))
        return frames(driver.answer(.records(records)))
    }

    /// Sends SESSION OPEN, and lets `sendsAhead` send further frames behind it. Only then the store answers that the
    /// key is free and that it holds `records`.
    private func opening(
        _ records: [SessionRecord], _ driver: inout GatewayDriver,
        from id: ConnectionID = GatewayDriver.connection, sendsAhead: (inout GatewayDriver) throws -> Void
    ) rethrows {
        driver.frame(.sessionOpen(GatewayDriver.open(size: 2_500, session: SessionID(high: 9, low: 9))), from: id)
        try sendsAhead(&driver)
        driver.answer(.object(nil))
        driver.answer(.records(records))
    }

    private func connected() -> GatewayDriver {
        var driver = GatewayDriver()
        driver.connect()
        return driver
    }

    // MARK: One exchange

    @Test func theSlotCarriesTheAdoptedSessionAtOnce() throws {
        var driver = connected()
        #expect(opening([Self.record(3)], &driver).isEmpty)
        let told = frames(driver.answer(.parts(Array(Self.entries.prefix(1)))))
        let opened = try #require(Self.adoption(told))
        #expect(opened.session == SessionID(high: 0, low: 3))
        #expect(opened.adoption?.candidateParts == 1 && opened.adoption?.partials == [])
        #expect(told.last == .partList(PartList(entries: [Self.entries[0]], isLast: true)))
        #expect(driver.requests.isEmpty && driver.machine.sessionCount == 1)
        // The session is open: the gateway decides an offer and stores the part in the upload that the record names.
        let decided = frames(driver.frame(.partOffer(try #require(GatewayDriver.offer(2, of: 2_500)))))
        #expect(Self.decisions(decided)[2] == .send(offset: 0, limit: 600))
        guard case .storePart(_, "upload-3", _, _)? = driver.requests.last?.request else {
            Issue.record("\(driver.requests)")
            return
        }
    }

    @Test func theSessionWithTheLowestIdIsAdopted() {
        var driver = connected()
        _ = opening([Self.record(5), Self.record(2), Self.record(4)], &driver)
        let told = frames(driver.answer(.parts([])))
        #expect(Self.adoption(told)?.session == SessionID(high: 0, low: 2))
    }

    // MARK: Records without an upload

    /// The removal of a session record may fail, so a record may remain after its upload is gone. The gateway skips
    /// such a record.
    @Test func recordWithoutAnUploadIsSkipped() {
        var driver = connected()
        _ = opening([Self.record(2), Self.record(4)], &driver)
        #expect(driver.answer(.failed(.uploadUnknown)).count == 1)
        let told = frames(driver.answer(.parts([])))
        #expect(Self.adoption(told)?.session == SessionID(high: 0, low: 4))
    }

    @Test func newSessionIsOpenedIfNoUploadIsLeft() {
        var driver = connected()
        _ = opening([Self.record(2)], &driver)
        driver.answer(.failed(.uploadUnknown))
        guard case .writeRecord(let facts)? = driver.requests.last?.request else {
            Issue.record("\(driver.requests)")
            return
        }
        #expect(facts.session == SessionID(high: 9, low: 9))
        driver.answer(.done)
        driver.answer(.uploadCreated(upload: "u"))
        let told = frames(driver.answer(.done))
        guard case .sessionOpened(let opened)? = told.first else {
            Issue.record("\(told)")
            return
        }
        #expect(!opened.isAdopted && opened.session == SessionID(high: 9, low: 9))
    }

    /// A store that refuses to remove records can hold any number of them, so the gateway probes at most `probesMax`
    /// uploads.
    @Test func probesOfUploadsAreLimited() {
        var driver = GatewayDriver { $0.probesMax = 2 }
        driver.connect()
        _ = opening((1...5).map { Self.record($0) }, &driver)
        for _ in 0..<2 { driver.answer(.failed(.uploadUnknown)) }
        guard case .writeRecord? = driver.requests.last?.request else {
            Issue.record("\(driver.requests)")
            return
        }
    }

    @Test func failedListingEndsOnlyTheOpening() {
        var driver = connected()
        _ = opening([Self.record(2)], &driver)
        let told = frames(driver.answer(.failed(.unavailable(retryAfter: .zero))))
        guard case .sessionRefused(let refused)? = told.first else {
            Issue.record("\(told)")
            return
        }
        #expect(refused.code == .storeUnavailable)
        #expect(driver.machine.sessionCount == 0)
    }

    // MARK: Sessions in use

    /// How this gateway uses the recorded session when SESSION OPEN arrives.
    enum Use: CaseIterable {
        case carried, completing, settled, aborting
    }

    @Test(arguments: Use.allCases)
    func sessionInUseIsNotAdopted(use: Use) throws {
        var driver = connected()
        driver.openParts(size: 2_500)
        let token = try #require(driver.tokens.last)
        switch use {
        case .carried: break
        case .completing, .settled:
            driver.frame(.partList(PartList(entries: Self.entries, isLast: true)))
            driver.frame(.complete(GatewayDriver.complete(2_500)))
            if use == .settled {
                driver.answer(.parts(Self.entries))
                driver.answer(.objectStored(GatewayDriver.storedObject))
                while !driver.requests.isEmpty { driver.answer(.done) }
            }
            driver.change { $0.connectionLost(GatewayDriver.connection, now: $1) }
        case .aborting:
            driver.frame(.sessionLeave(SessionLeave()))
            driver.frame(.abort(Abort(token: token)))
            driver.change { $0.connectionLost(GatewayDriver.connection, now: $1) }
        }
        let pending = driver.requests
        driver.requests = []
        let id = driver.newConnection()
        driver.connect(id)
        var record = Self.record(1)
        record.session = GatewayDriver.session
        record.upload = "upload-1"
        _ = opening([record], &driver, from: id)
        guard case .writeRecord? = driver.requests.last?.request else {
            Issue.record("\(use): \(driver.requests)")
            return
        }
        driver.requests = pending + driver.requests
    }

    /// The record names a session whose upload may be adopted. While the gateway waits for the store's answer about
    /// that upload, another run resumes the session. The gateway must not adopt a session that is in use, so it begins
    /// a new one.
    @Test func sessionOpenedMeanwhileIsSkipped() throws {
        var driver = connected()
        driver.openParts(size: 2_500)
        driver.change { $0.connectionLost(GatewayDriver.connection, now: $1) }
        let id = driver.newConnection()
        driver.connect(id)
        var record = Self.record(1)
        record.session = GatewayDriver.session
        record.upload = "upload-1"
        _ = opening([record], &driver, from: id)
        let query = ResumeQuery(listedParts: 0, token: try #require(driver.tokens.last))
        driver.frame(.resumeQuery(query), slot: Slot(2), from: id)
        #expect(Self.adoption(frames(driver.answer(.parts([])))) == nil)
        guard case .writeRecord? = driver.requests.last?.request else {
            Issue.record("\(driver.requests)")
            return
        }
    }

    /// A refused session waits for the store's answer about a part, and its agent may resume it, which is refused, too.
    /// When another SESSION OPEN adopts the session, a table that the session holds is kept: a second one would stay
    /// reserved.
    @Test(arguments: 0...2)
    func refusedSessionIsAdoptedWithOneTable(resumed: Int) throws {
        var driver = connected()
        driver.openParts(size: 2_500)
        for number in [1, 2] as [UInt32] {
            driver.frame(.partOffer(try #require(GatewayDriver.offer(number, of: 2_500))))
            driver.data(part: number, bytes: 200)
        }
        let late = driver.requests.removeFirst()
        driver.answer(.failed(.denied))
        let token = try #require(driver.tokens.last)
        for _ in 0..<resumed {
            driver.frame(.resumeQuery(ResumeQuery(listedParts: 0, token: token)))
            driver.answer(.failed(.denied))
        }
        driver.change { $0.connectionLost(GatewayDriver.connection, now: $1) }
        driver.requests = []
        let id = driver.newConnection()
        driver.connect(id)
        var record = Self.record(1)
        record.session = GatewayDriver.session
        record.upload = "upload-1"
        _ = opening([record], &driver, from: id)
        #expect(Self.adoption(frames(driver.answer(.parts([])))) != nil)
        driver.requests = [late] + driver.requests
        driver.comeToRest()
        #expect(driver.machine.bytesReserved == 0 && driver.machine.sessionCount == 0)
    }

    @Test func lostConnectionLeavesNothing() throws {
        var driver = connected()
        try opening([Self.record(3)], &driver) { driver in
            driver.frame(.partOffer(try #require(GatewayDriver.offer(2, of: 2_500))))
            driver.data(part: 2, bytes: 200)
        }
        driver.change { $0.connectionLost(GatewayDriver.connection, now: $1) }
        driver.answer(.parts([]))
        driver.comeToRest()
        #expect(driver.machine.sessionCount == 0 && driver.flows.isEmpty && driver.machine.bytesReserved == 0)
    }

    // MARK: Frames sent ahead

    /// The gateway answers *have* for a stored part, and keeps the data of the other part for the adopted session.
    @Test func framesSentAheadCount() throws {
        var driver = connected()
        try opening([Self.record(3)], &driver) { driver in
            for part in 1...2 as ClosedRange<UInt32> {
                driver.frame(.partOffer(try #require(GatewayDriver.offer(part, of: 2_500))))
                driver.data(part: part, bytes: 200)
            }
        }
        let told = frames(driver.answer(.parts(Array(Self.entries.prefix(1)))))
        #expect(told.map(\.type) == [.sessionOpened, .partList, .partDecision, .partDecision])
        #expect(Self.decisions(told)[1] == .have(etag: "etag-1"))
        #expect(Self.decisions(told)[2] == .send(offset: 200, limit: 600))
        let flow = try #require(driver.flows.last)
        #expect(driver.data(part: 2, offset: 200, bytes: 200) == .accept(flow, skip: 0))
        // The bytes belong to the adopted session, so the gateway tells the agent with RECEIVED how many of them the
        // store has taken.
        #expect(!frames(driver.change { $0.consumed(400, flow: flow, now: $1) }).isEmpty)
        driver.comeToRest()
        #expect(driver.machine.bytesReserved == 0 && driver.flows.isEmpty)
    }

    @Test func decisionsThatWaitedFollowTheAdoption() throws {
        var driver = GatewayDriver { $0.partsPerSessionMax = 1 }
        driver.connect()
        try opening([Self.record(3)], &driver) { driver in
            for part in 1...2 as ClosedRange<UInt32> {
                driver.frame(.partOffer(try #require(GatewayDriver.offer(part, of: 2_500))))
            }
        }
        let told = frames(driver.answer(.parts([])))
        #expect(told.first?.type == .sessionOpened)
        #expect(Self.decisions(told)[1] == .send(offset: 0, limit: 600))
        guard case .later(.busy, _)? = Self.decisions(told)[2] else {
            Issue.record("\(told)")
            return
        }
    }

    private func cut() throws -> (driver: GatewayDriver, record: SessionRecord) {
        var driver = connected()
        driver.openParts(size: 2_500)
        driver.frame(.partOffer(try #require(GatewayDriver.offer(1, of: 2_500))))
        for offset in [0, 150] as [UInt64] { driver.data(offset: offset, bytes: 150) }
        driver.change { $0.connectionLost(GatewayDriver.connection, now: $1) }
        var record = Self.record(1)
        record.session = GatewayDriver.session
        record.upload = "upload-1"
        return (driver, record)
    }

    @Test func partialsOfTheAdoptedSessionAreNamed() throws {
        var (driver, record) = try cut()
        let part = driver.requests.removeFirst()
        let id = driver.newConnection()
        driver.connect(id, run: 2)
        _ = opening([record], &driver, from: id)
        let opened = try #require(Self.adoption(frames(driver.answer(.parts([])))))
        let offer = try #require(GatewayDriver.offer(1, of: 2_500))
        #expect(
            opened.adoption?.partials
                == [PartialPart(part: offer.part, digest: offer.digest, offset: 300, limit: 600)])
        let flow = try #require(driver.flows.last)
        #expect(driver.data(offset: 300, bytes: 200, from: id) == .accept(flow, skip: 0))
        driver.requests.append(part)
        driver.comeToRest()
        #expect(driver.machine.bytesReserved == 0 && driver.machine.sessionCount == 0)
    }

    /// The gateway still holds the beginning of part 1 from before the cut. Behind SESSION OPEN the agent sends a
    /// beginning of the same part again, with the same digest. The gateway keeps the longer one.
    @Test(arguments: [(150, 300), (450, 450)] as [(UInt32, UInt64)])
    func longerPartialIsKept(ahead: UInt32, kept: UInt64) throws {
        var (driver, record) = try cut()
        let part = driver.requests.removeFirst()
        let id = driver.newConnection()
        driver.connect(id, run: 2)
        try opening([record], &driver, from: id) { driver in
            driver.frame(.partOffer(try #require(GatewayDriver.offer(1, of: 2_500))), from: id)
            for offset in stride(from: UInt64(0), to: UInt64(ahead), by: 150) {
                driver.data(offset: offset, bytes: 150, from: id)
            }
        }
        let told = frames(driver.answer(.parts([])), to: id)
        #expect(Self.adoption(told)?.adoption?.partials == [])
        #expect(Self.decisions(told)[1] == .send(offset: kept, limit: 600))
        #expect(driver.flows.count == 1)
        #expect(driver.data(offset: kept, bytes: 50, from: id) != .violation)
        driver.requests.append(part)
        driver.comeToRest()
        #expect(driver.machine.bytesReserved == 0 && driver.machine.sessionCount == 0)
    }

    /// While a chunk is still arriving, the gateway counts it with its full size, because the agent will still send the
    /// rest of the chunk.
    @Test func arrivingChunkCountsWhole() throws {
        var (driver, record) = try cut()
        let part = driver.requests.removeFirst()
        let id = driver.newConnection()
        driver.connect(id, run: 2)
        let offer = try #require(GatewayDriver.offer(1, of: 2_500))
        var arriving: FlowID?
        opening([record], &driver, from: id) { driver in
            driver.frame(.partOffer(offer), from: id)
            driver.data(bytes: 250, from: id)
            let header = PartDataHeader(
                part: offer.part, offset: 250, plainBytes: 200, isCompressed: false, payloadBytes: 200)
            let verdict = driver.machine.receivedData(header, slot: Self.slot, from: id, now: driver.now)
            if case .accept(let flow, _) = verdict { arriving = flow }
        }
        driver.answer(.parts([]))
        let flow = try #require(arriving)
        let isTaken = driver.machine.receivedBytes(200, flow: flow, from: id, now: driver.now)
        #expect(isTaken)
        #expect(driver.data(offset: 450, bytes: 50, from: id) == .accept(flow, skip: 0))
        driver.requests.append(part)
        driver.comeToRest()
    }

    /// An offer with another digest means other content, so the gateway drops the bytes that it has held since before
    /// the cut.
    @Test func bytesOfAnotherDigestAreForgotten() throws {
        var (driver, record) = try cut()
        let part = driver.requests.removeFirst()
        let id = driver.newConnection()
        driver.connect(id, run: 2)
        let number = try #require(PartNumber(1))
        opening([record], &driver, from: id) { driver in
            let other = PartOffer(
                part: number, size: 1_000, isLast: false, digest: ToyDigest.sha256([9]), md5: nil)
            driver.frame(.partOffer(other), from: id)
        }
        let told = frames(driver.answer(.parts([])), to: id)
        #expect(Self.decisions(told)[1] == .send(offset: 0, limit: 600))
        driver.requests.append(part)
        driver.comeToRest()
        #expect(driver.machine.bytesReserved == 0 && driver.flows.isEmpty)
    }
}
