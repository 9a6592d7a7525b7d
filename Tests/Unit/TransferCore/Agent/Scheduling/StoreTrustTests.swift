import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// What the agent sends, and what it reports to the user, while the store accepts nothing.
@Suite struct StoreTrustTests {
    @Test func theTableHolds() {
        var trust = StoreTrust()
        func hears(_ codes: [ErrorCode]) -> [Bool] { codes.map { trust.refused($0) } }
        func store(_ count: Int) -> Int {
            for _ in 0..<count { trust.stored() }
            return trust.takeWakes()
        }
        let wakesBefore = store(1)
        #expect(trust.allowsEarlyData && wakesBefore == 0)
        let first = hears([.storeUnavailable, .storeUnavailable, .storeFull, .storeUnavailable])
        #expect(first == [true, false, true, false])
        let wakes = [store(7), store(0)]
        #expect(!trust.allowsEarlyData && wakes == [14, 0])
        let second = hears([.storeFull])
        #expect(second == [false])
        let rest = store(8)
        #expect(trust.allowsEarlyData && rest == 16)
        let third = hears([.storeFull])
        #expect(third == [true])
    }

    private func refused(_ code: ErrorCode, after milliseconds: UInt32 = 2_000) -> Frame {
        .sessionRefused(SessionRefused(code: code, retryAfterMilliseconds: milliseconds, message: ""))
    }

    private func waits(_ actions: [AgentAction]) -> [ErrorCode] {
        actions.compactMap { action in
            guard case .report(_, .waiting(let code, _)) = action else { return nil }
            return code
        }
    }

    private func driverOpeningEarly() -> AgentDriver {
        var driver = AgentDriver()
        driver.submit(size: 200)
        driver.welcome()
        driver.commit()
        driver.read(size: 200)
        #expect(driver.chunks.count == 1)
        return driver
    }

    @Test(arguments: [ErrorCode.storeUnavailable, .storeFull])
    func refusedSmallFileIsSentAgainOnlyOnRequest(code: ErrorCode) {
        var driver = driverOpeningEarly()
        driver.chunkSent()
        #expect(waits(driver.frame(refused(code))) == [code])
        var told: [ErrorCode] = []
        for _ in 0..<6 {
            let actions = driver.tick(after: .seconds(5))
            #expect(frames(actions).contains { if case .sessionOpen = $0 { true } else { false } })
            #expect(driver.chunks.isEmpty)
            told += waits(driver.frame(refused(code)))
        }
        #expect(told == [], "it is reported once")
        driver.tick(after: .seconds(5))
        driver.frame(AgentDriver.opened(driver.session))
        #expect(driver.chunks.isEmpty)
        guard let part = PartNumber(1) else { return }
        driver.frame(.partDecision(PartDecision(part: part, decision: .send(offset: 0, limit: 200))))
        #expect(driver.chunks.count == 1)
    }

    @Test func nothingIsSentEarlyAfterAReconnect() {
        var driver = driverOpeningEarly()
        driver.chunkSent()
        driver.frame(refused(.storeUnavailable))
        _ = driver.connectionLost()
        driver.tick(after: .seconds(5))
        let actions = driver.welcome() + driver.tick(after: .seconds(5))
        #expect(frames(actions).contains { if case .partOffer = $0 { true } else { false } })
        #expect(driver.chunks.isEmpty)
    }

    /// Only a code that concerns the store makes the agent hold its data back until a decision. In this test the
    /// refusal arrives before the socket has taken any data: a part of which the socket has taken bytes waits for a
    /// decision in any case.
    @Test(arguments: [(ErrorCode.busy, true), (.storeUnavailable, false), (.storeFull, false)])
    func onlyTheStoreMakesDataWait(code: ErrorCode, goesEarly: Bool) {
        var driver = driverOpeningEarly()
        driver.frame(refused(code))
        driver.chunkSent()
        driver.tick(after: .seconds(5))
        #expect(driver.chunks.count == (goesEarly ? 1 : 0))
    }

    /// Only the gateway knows when it will try the store again. So after every deferral the agent waits exactly as long
    /// as the gateway advises.
    @Test func theAdviceOfTheGatewayIsFollowed() throws {
        var driver = AgentTableTests.driver(in: .sendingUndecided)
        while !driver.chunks.isEmpty { driver.chunkSent() }
        let part = try #require(PartNumber(1))
        for _ in 0..<9 {
            let later = PartDecision.Decision.later(code: .storeUnavailable, retryAfterMilliseconds: 3_000)
            driver.frame(.partDecision(PartDecision(part: part, decision: later)))
            #expect(frames(driver.tick(after: .milliseconds(2_999))).isEmpty)
            let offers = frames(driver.tick(after: .milliseconds(1)))
            #expect(offers.contains { if case .partOffer(let offer) = $0 { offer.part == part } else { false } })
        }
    }
}
