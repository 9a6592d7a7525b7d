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

    /// The renewals of one session in each state: idle, renewing and superseded.
    private static func states() -> [RecordRenewals] {
        var states = [RecordRenewals()]
        var renewals = RecordRenewals()
        _ = renewals.begin(session)
        states.append(renewals)
        _ = renewals.remove(session, key: key)
        states.append(renewals)
        return states
    }

    /// The transition table in the comment at the top of `RecordRenewals.swift` contains exactly the transitions that
    /// the machine makes.
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
    private static func resumed() throws -> (driver: GatewayDriver, renewal: StoreRequestID) {
        var driver = GatewayDriver()
        driver.answersRenewals = false
        driver.connect()
        driver.frame(.resumeQuery(ResumeQuery(listedParts: 0, token: GatewayDriver.token())))
        driver.answer(.parts(GatewayDriver.entries(of: 2_500)))
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
}
