import RepositoryFiles
import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

@Suite struct RecordRenewalsTests {
    private static let session = GatewayDriver.session
    private static let other = SessionID(high: 9, low: 9)
    private static let key = "site/file"

    private static func name(of phase: RecordRenewals.Phase?) -> String {
        switch phase {
        case nil: "idle"
        case .renewing: "renewing"
        case .superseded: "superseded"
        }
    }

    private static func states() -> [RecordRenewals] {
        var states = [RecordRenewals()]
        var renewals = RecordRenewals()
        _ = renewals.begin(session)
        states.append(renewals)
        _ = renewals.remove(session, key: key)
        states.append(renewals)
        return states
    }

    @Test func theTableIsTrue() throws {
        let events: [(inout RecordRenewals) -> Void] = [
            { _ = $0.begin(Self.session) }, { _ = $0.remove(Self.session, key: Self.key) },
            { _ = $0.answered(Self.session) },
        ]
        var changes: Set<TransitionTable.Row> = []
        for state in Self.states() {
            for event in events {
                var next = state
                event(&next)
                guard next != state else { continue }
                let row = TransitionTable.Row(
                    from: Self.name(of: state[Self.session]), to: Self.name(of: next[Self.session]))
                changes.insert(row)
            }
        }
        let rows = try TransitionTable.rows(of: "Sources/TransferCore/Gateway/Session/RecordRenewals.swift")
        #expect(rows.count == Set(rows).count)
        #expect(Set(rows) == changes)
    }

    @Test func oneRenewalOfASessionIsUnderWayAtATime() {
        var renewals = RecordRenewals()
        let begun = [renewals.begin(Self.session), renewals.begin(Self.session), renewals.begin(Self.other)]
        #expect(begun == [true, false, true])
        let removed = renewals.answered(Self.session)
        let begins = renewals.begin(Self.session)
        #expect(removed == nil && begins)
    }

    @Test func removalWaitsOnlyForTheRenewalOfItsOwnSession() {
        var renewals = RecordRenewals()
        _ = renewals.begin(Self.session)
        let ofOther = renewals.remove(Self.other, key: "other")
        let ofOwn = renewals.remove(Self.session, key: Self.key)
        #expect(ofOther && !ofOwn)
        let removed = renewals.answered(Self.session)
        let afterwards = renewals.remove(Self.session, key: Self.key)
        #expect(removed == Self.key && afterwards)
    }

    // MARK: In the gateway

    /// A gateway that has resumed a session of several parts. The store has not answered the renewal.
    ///
    /// - Parameter storedParts: how many of the three parts the store has.
    private static func resumed(
        storedParts: Int = 3, change: (inout GatewayLimits) -> Void = { _ in }
    ) throws -> (driver: GatewayDriver, renewal: StoreRequestID) {
        var driver = GatewayDriver(change: change)
        driver.answersRenewals = false
        driver.connect()
        driver.frame(.resumeQuery(ResumeQuery(listedParts: 0, token: GatewayDriver.token())))
        driver.answer(.parts(Array(GatewayDriver.entries(of: 2_500).prefix(storedParts))))
        let renewal = try #require(driver.requests.last)
        #expect(driver.requests.map(\.request) == [.renewRecord(key: key, session: session)])
        driver.requests.removeLast()
        return (driver, renewal.id)
    }

    @Test(arguments: [.done, .failed(.unavailable(retryAfter: .zero)), .failed(.denied)] as [StoreAnswer])
    func recordIsRemovedAfterItsRenewal(answer: StoreAnswer) throws {
        var (driver, renewal) = try Self.resumed()
        driver.frame(.sessionLeave(SessionLeave()))
        driver.frame(.abort(Abort(token: GatewayDriver.token())))
        driver.answer(.done)
        driver.answer(.failed(.uploadUnknown))
        #expect(driver.requests.isEmpty)
        driver.change { $0.handle(.storeAnswered(renewal, answer, wallMilliseconds: 0), now: $1) }
        #expect(driver.requests.map(\.request) == [.removeRecord(key: Self.key, session: Self.session)])
    }

    @Test func sessionThatIsResumedAgainDuringTheRenewalIsNotRenewedTwice() throws {
        var (driver, _) = try Self.resumed()
        driver.frame(.sessionLeave(SessionLeave()))
        driver.tick(after: .seconds(4_000))
        driver.connect(driver.newConnection())
        driver.frame(.resumeQuery(ResumeQuery(listedParts: 0, token: GatewayDriver.token())), from: ConnectionID(2))
        driver.answer(.parts(GatewayDriver.entries(of: 2_500)))
        #expect(driver.requests.isEmpty)
    }

    // MARK: What a renewal tells about the store

    private static let failures: [StoreAnswer] = [
        .failed(.unavailable(retryAfter: .zero)), .failed(.unavailable(retryAfter: .seconds(60))),
        .failed(StoreError(.full)), .failed(StoreError(.outcomeUnknown)),
    ]

    private static func breakerNotes(_ actions: [GatewayAction]) -> Int {
        actions.count { action in
            switch action {
            case .note(.storeUnavailable), .note(.storeRecovered): true
            default: false
            }
        }
    }

    /// A failed renewal does not count against the store. To show this, the test lets the breaker open at the first
    /// failure that counts.
    @Test(arguments: failures)
    func failedRenewalDoesNotHoldUpParts(answer: StoreAnswer) throws {
        var (driver, renewal) = try Self.resumed(storedParts: 2) {
            $0.breaker.lostMax = 1
            $0.breaker.refusalsMax = 1
            $0.breaker.cautiousBytes = 100
        }
        let told = driver.change { $0.handle(.storeAnswered(renewal, answer, wallMilliseconds: 0), now: $1) }
        #expect(Self.breakerNotes(told) == 0)
        // The gateway does not doubt the store, so it grants the part its whole window at once.
        let offer = try #require(GatewayDriver.offer(3, of: 2_500))
        let decided = frames(driver.frame(.partOffer(offer)))
        guard case .partDecision(let decision)? = decided.first, case .send(offset: 0, let limit) = decision.decision
        else {
            Issue.record("\(decided)")
            return
        }
        #expect(limit == 500)
    }

    /// A renewal that succeeds does not show that the store takes parts again.
    @Test func renewalDoesNotEndTheWaitOfTheBreaker() throws {
        var (driver, renewal) = try Self.resumed(storedParts: 2) {
            $0.breaker.lostMax = 1
            $0.breaker.spread = .zero
        }
        let other = SessionID(high: 9, low: 9)
        driver.frame(.sessionOpen(GatewayDriver.open(size: 2_500, session: other)), slot: Slot(2))
        let lost = driver.answer(.failed(.unavailable(retryAfter: .zero)))
        #expect(Self.breakerNotes(lost) == 1)
        driver.change { $0.handle(.storeAnswered(renewal, .done, wallMilliseconds: 0), now: $1) }
        let decided = frames(driver.frame(.partOffer(try #require(GatewayDriver.offer(3, of: 2_500)))))
        guard case .partDecision(let decision)? = decided.first, case .later = decision.decision else {
            Issue.record("\(decided)")
            return
        }
    }

    // MARK: Agents that return

    /// The agent had the session open for a week without storing a part, and loses its connections. The gateway still
    /// knows the session when the agent returns, and so asks the store for no list. It renews the record all the same.
    @Test func sessionThatTheGatewayStillKnowsIsRenewedWhenItsAgentReturns() throws {
        var (driver, renewal) = try Self.resumed()
        driver.change { $0.handle(.storeAnswered(renewal, .done, wallMilliseconds: 0), now: $1) }
        // A second connection joins the session. The gateway renews a record only when a session without a slot gets
        // one, so it does not renew this one.
        let joined = driver.join().id
        #expect(driver.requests.isEmpty)
        for id in [GatewayDriver.connection, joined] { driver.change { $0.handle(.connectionLost(id), now: $1) } }
        #expect(driver.requests.isEmpty)
        let (_, told) = driver.join()
        #expect(told.contains { if case .resumeState = $0 { true } else { false } })
        #expect(driver.requests.map(\.request) == [.renewRecord(key: Self.key, session: Self.session)])
    }
}
