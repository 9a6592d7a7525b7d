import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// A partial is a part of which the gateway holds the first bytes. The gateway names its partials to an agent that asks
/// for them; a named partial counts as an accepted offer, and the agent sends the rest (specification §8.1).
@Suite struct PartialTests {
    private static let first = GatewayDriver.connection

    /// A driver that has received 200 bytes of part 1 and then lost the connection.
    private func cut(size: UInt64 = 2_500, whole: Bool = false) throws -> GatewayDriver {
        var driver = GatewayDriver()
        driver.connect()
        if size > 1_000 {
            driver.openParts(size: size)
        } else {
            driver.frame(.sessionOpen(GatewayDriver.open(size: size)))
            driver.answer(.object(nil))
        }
        driver.frame(.partOffer(try #require(GatewayDriver.offer(1, of: size))))
        driver.data(bytes: 200)
        if whole { driver.data(offset: 200, bytes: UInt32(min(size, 1_000) - 200)) }
        driver.change { $0.connectionLost(Self.first, now: $1) }
        return driver
    }

    private func resume(
        _ driver: inout GatewayDriver, asks: Bool = true, listed: [PartListEntry] = []
    ) throws -> (id: ConnectionID, state: ResumeState) {
        let id = driver.newConnection()
        driver.connect(id, run: 2)
        let token = driver.tokens.last ?? GatewayDriver.token()
        let query = ResumeQuery(listedParts: UInt32(listed.count), token: token, asksForPartials: asks)
        var told = frames(driver.frame(.resumeQuery(query), from: id), to: id)
        if !listed.isEmpty {
            told += frames(driver.frame(.partList(PartList(entries: listed, isLast: true)), from: id))
        }
        let states = told.compactMap { frame -> ResumeState? in
            if case .resumeState(let state) = frame { state } else { nil }
        }
        return (id, try #require(states.first))
    }

    @Test func partialsAreNamedOnlyOnRequest() throws {
        var driver = try cut()
        #expect(try resume(&driver, asks: false).state.partials == [])
        driver = try cut()
        let offer = try #require(GatewayDriver.offer(1, of: 2_500))
        let (_, state) = try resume(&driver)
        #expect(state.partials == [PartialPart(part: offer.part, digest: offer.digest, offset: 200, limit: 600)])
    }

    @Test func namedPartContinuesWithoutAnOffer() throws {
        var driver = try cut()
        let held = driver.machine.bytesReserved
        let (id, _) = try resume(&driver)
        // The new connection reserves its initial credit, and the part keeps its reservation.
        #expect(driver.machine.bytesReserved == held + 500)
        let flow = try #require(driver.flows.last)
        #expect(driver.data(offset: 200, bytes: 200, from: id) == .accept(flow, skip: 0))
        let raised = frames(driver.change { $0.consumed(400, flow: flow, now: $1) }, to: id)
        guard case .received(let received)? = raised.first else {
            Issue.record("\(raised)")
            return
        }
        #expect(received.received == 400 && received.limit == 1_000)
        // A part without a connection would be dropped after `partGrace`. This part has a connection again, so the
        // gateway keeps it.
        driver.tick(after: driver.machine.limits.partGrace)
        #expect(driver.machine.partsUnderWay == 1)
        for offset in [400, 600, 800] as [UInt64] {
            #expect(driver.data(offset: offset, bytes: 200, from: id) == .accept(flow, skip: 0))
        }
        let stored = frames(driver.answer(.partStored(etag: "e")), to: id)
        #expect(stored == [.stored(Stored(part: try #require(PartNumber(1)), etag: "e"))])
    }

    @Test func dataBeyondTheNamedLimitEndsTheConnection() throws {
        var driver = try cut()
        let (id, _) = try resume(&driver)
        for offset in [200, 400] as [UInt64] {
            #expect(driver.data(offset: offset, bytes: 200, from: id) != .violation)
        }
        #expect(driver.data(offset: 600, bytes: 1, from: id) == .violation)
    }

    @Test func aWholePartIsNamedWithItsSize() throws {
        var driver = GatewayDriver { $0.windowBytes = 1_000 }
        driver.connect()
        driver.openParts(size: 2_500)
        driver.frame(.partOffer(try #require(GatewayDriver.offer(1, of: 2_500))))
        for offset in stride(from: UInt64(0), to: 1_000, by: 200) { driver.data(offset: offset, bytes: 200) }
        driver.change { $0.connectionLost(Self.first, now: $1) }
        let (id, state) = try resume(&driver)
        #expect(state.partials.first?.offset == 1_000)
        let stored = frames(driver.answer(.partStored(etag: "e")), to: id)
        #expect(stored == [.stored(Stored(part: try #require(PartNumber(1)), etag: "e"))])
    }

    @Test func aPartThatAConnectionSendsIsNotNamed() throws {
        var driver = GatewayDriver()
        driver.connect()
        driver.openParts(size: 2_500)
        driver.frame(.partOffer(try #require(GatewayDriver.offer(1, of: 2_500))))
        driver.data(bytes: 200)
        let query = ResumeQuery(listedParts: 0, token: try #require(driver.tokens.last), asksForPartials: true)
        let told = frames(driver.frame(.resumeQuery(query), slot: Slot(2)))
        guard case .resumeState(let state)? = told.first else {
            Issue.record("\(told)")
            return
        }
        #expect(state.partials == [])
    }

    /// The agent lists the part as stored, so it would send no data of the part. The gateway therefore does not name
    /// the part as a partial.
    @Test func aPartThatTheAgentHoldsAsStoredIsNotNamed() throws {
        var driver = try cut()
        let listed = Array(GatewayDriver.entries(of: 2_500).prefix(1))
        #expect(try resume(&driver, listed: listed).state.partials == [])
    }

    @Test func aNamedPartThatIsNotSentIsEvicted() throws {
        var driver = try cut()
        let (id, _) = try resume(&driver)
        var told: [Frame] = []
        for _ in 0..<3 {
            driver.change { $0.heard(1, from: id, now: $1) }
            told += frames(driver.tick(after: driver.machine.limits.progressWindow - .seconds(1)), to: id)
            told += frames(driver.tick(after: .seconds(1)), to: id)
        }
        let codes = told.compactMap { frame -> ErrorCode? in
            if case .error(let report) = frame { report.code } else { nil }
        }
        #expect(codes.contains(.partInterrupted))
        #expect(driver.machine.partsUnderWay == 0)
    }

    /// RESUME QUERY and an offer of the same part may cross. The gateway then names the partial in its answer, and must
    /// still decide the offer.
    @Test func anOfferOfANamedPartIsDecided() throws {
        var driver = try cut()
        let (id, _) = try resume(&driver)
        let offer = try #require(GatewayDriver.offer(1, of: 2_500))
        let decided = frames(driver.frame(.partOffer(offer), from: id), to: id)
        let decision = PartDecision(part: offer.part, decision: .send(offset: 200, limit: 600))
        #expect(decided == [.partDecision(decision)])
        let other = PartOffer(
            part: offer.part, size: 1_000, isLast: false, digest: ToyDigest.sha256([9]), md5: nil)
        let anew = frames(driver.frame(.partOffer(other), from: id), to: id)
        #expect(anew == [.partDecision(PartDecision(part: offer.part, decision: .send(offset: 0, limit: 600)))])
    }

    @Test func aOnePartFileIsCompletedFromANamedPart() throws {
        var driver = try cut(size: 400)
        let (id, state) = try resume(&driver)
        #expect(state.partials.first?.offset == 200)
        driver.data(offset: 200, bytes: 200, from: id)
        let released = driver.frame(.complete(GatewayDriver.complete(400)), from: id)
        #expect(released.contains { if case .releaseFlow = $0 { true } else { false } })
    }

    @Test func evictedPartialVoidsComplete() throws {
        var driver = try cut(size: 400)
        let (id, _) = try resume(&driver)
        driver.answer(.failed(.unavailable(retryAfter: .zero)))
        // The store failed to store the part. The agent did not yet know this when it sent COMPLETE, so the gateway
        // ignores COMPLETE and keeps the slot open.
        #expect(frames(driver.frame(.complete(GatewayDriver.complete(400)), from: id)) == [])
        #expect(driver.machine.slotsInUse == 1)
    }
}
