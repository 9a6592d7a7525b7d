import FoundationEssentials
import ObjectStore
import RepositoryFiles
import S3Store
import Testing
import TransferCommon

/// When a lease uses credentials, renews them, or waits for new ones. Each test is a transcript of events and of the
/// lease's advice.
@Suite struct CredentialLeaseTests {
    private static let start = Date(timeIntervalSince1970: 1_700_000_000)
    private let instant = ContinuousClock.now

    private func credentials(_ id: String, lasting seconds: TimeInterval? = nil) -> S3Credentials {
        S3Credentials(
            accessKeyID: id, secretAccessKey: "s",
            expiration: seconds.map { Self.start.addingTimeInterval($0) })
    }

    /// The lease's advice as a short text: `use 1`, `renew 1`, `wait`, `fail`. The number identifies the credentials.
    private func advice(_ lease: CredentialLease, after seconds: TimeInterval, _ later: Duration = .zero) -> String {
        switch lease.advice(now: Self.start.addingTimeInterval(seconds), at: instant + later) {
        case .use(let credentials): "use \(credentials.accessKeyID)"
        case .useAndRenew(let credentials): "renew \(credentials.accessKeyID)"
        case .waitForRenewal: "wait"
        case .fail(let error): "fail \(error.shortDescription)"
        }
    }

    private func lease(_ credentials: S3Credentials?, jitter: Double = 1) -> CredentialLease {
        var lease = CredentialLease()
        if let credentials { lease.received(credentials, now: Self.start, at: instant, jitter: jitter) }
        return lease
    }

    @Test func permanentCredentialsAreNotRenewed() {
        #expect(advice(lease(nil), after: 0) == "wait")
        #expect(advice(lease(credentials("1")), after: 1e12) == "use 1")
    }

    @Test func temporaryCredentialsAreRenewedEarly() {
        let lease = lease(credentials("1", lasting: 3_600))
        let expected = [(2_999.0, "use 1"), (3_000, "renew 1"), (3_599, "renew 1"), (3_600, "wait"), (9_999, "wait")]
        for (seconds, word) in expected { #expect(advice(lease, after: seconds) == word, "\(seconds)") }
    }

    @Test(arguments: [(3_600.0, 1.0, 3_000.0), (3_600, 0, 3_150), (900, 1, 675), (900, 0, 731.25), (60, 1, 45)])
    func renewalLeadIsJitteredShareOfLifetime(lifetime: Double, jitter: Double, renewal: Double) {
        let lease = lease(credentials("1", lasting: lifetime), jitter: jitter)
        #expect(advice(lease, after: renewal - 1) == "use 1")
        #expect(advice(lease, after: renewal + 1) == "renew 1")
    }

    @Test func failedRenewalIsRepeatedWithBackoff() {
        var lease = lease(credentials("1", lasting: 3_600))
        var pauses: [Int] = []
        for _ in 0..<8 {
            lease.failed(StoreError(.denied), at: instant, jitter: 1)
            let pause = (0...100).first { advice(lease, after: 3_100, .seconds($0)) == "renew 1" }
            pauses.append(pause ?? -1)
        }
        #expect(pauses == [1, 2, 4, 8, 16, 32, 60, 60])
        #expect(advice(lease, after: 3_100) == "use 1")
        // The credentials have expired, and the source does not renew them. Because they worked before, this counts as
        // an outage, not as a refusal, which would end sessions.
        #expect(advice(lease, after: 3_700) == "fail unavailable")
        #expect(advice(lease, after: 3_700, .seconds(61)) == "wait")
        lease.received(credentials("2", lasting: 7_200), now: Self.start, at: instant, jitter: 1)
        #expect(advice(lease, after: 3_700) == "use 2")
    }

    @Test func failureOfTheSourceIsReported() {
        var lease = CredentialLease()
        lease.failed(StoreError(.denied), at: instant, jitter: 1)
        #expect(advice(lease, after: 0) == "fail denied")
        #expect(advice(lease, after: 0, .seconds(1)) == "wait")
    }

    @Test func refusedCredentialsAreRenewed() {
        var lease = lease(credentials("1"))
        let isOfOthers = lease.refused(credentials("0"), .certain)
        #expect(!isOfOthers, "others have taken their place")
        #expect(advice(lease, after: 0) == "use 1")
        let isOfThese = lease.refused(credentials("1"), .certain)
        #expect(isOfThese)
        #expect(advice(lease, after: 0) == "wait")
        lease.received(credentials("1"), now: Self.start, at: instant, jitter: 1)
        #expect(advice(lease, after: 0) == "use 1", "the source has just been asked")
        #expect(advice(lease, after: 0, .seconds(2)) == "wait")
        lease.received(credentials("2"), now: Self.start, at: instant, jitter: 1)
        #expect(advice(lease, after: 0, .seconds(2)) == "use 2")
    }

    /// The store refuses a request, but perhaps not because of the credentials. Only the refused request asks the
    /// source for new ones. All other requests use the old ones and do not wait.
    @Test func doubtedCredentialsAreUsed() {
        var lease = lease(credentials("1"))
        let isOfThese = lease.refused(credentials("1"), .possible)
        #expect(isOfThese && lease.mayAskSource(at: instant))
        #expect(advice(lease, after: 0) == "use 1")
        lease.failed(StoreError(.unavailable), at: instant, jitter: 1)
        #expect(!lease.mayAskSource(at: instant))
        #expect(advice(lease, after: 0) == "use 1")
        #expect(advice(lease, after: 0, .seconds(2)) == "use 1")
    }

    @Test func secondRefusalCountsUnlessRequestSucceeded() {
        var lease = lease(credentials("1"))
        for _ in 1...2 {
            _ = lease.refused(credentials("1"), .possible)
            lease.accepted(credentials("1"))
            #expect(lease.standing == .trusted)
        }
        for _ in 1...2 { _ = lease.refused(credentials("1"), .possible) }
        #expect(lease.standing == .refused && advice(lease, after: 0) == "wait")
        lease.accepted(credentials("0"))
        #expect(lease.standing == .refused)
        lease.accepted(credentials("1"))
        #expect(lease.standing == .trusted && advice(lease, after: 0) == "use 1")
    }

    /// The store refused the credentials, and the source has just failed to give new ones. No request waits for the
    /// source: each is sent with the refused credentials, and the store decides again.
    @Test func refusedCredentialsAreTriedWhileTheSourceIsAway() {
        var lease = lease(credentials("1", lasting: 3_600))
        _ = lease.refused(credentials("1"), .certain)
        #expect(advice(lease, after: 0) == "wait")
        lease.failed(StoreError(.unavailable), at: instant, jitter: 1)
        #expect(advice(lease, after: 0) == "use 1")
        #expect(advice(lease, after: 0, .seconds(2)) == "renew 1")
        #expect(advice(lease, after: 3_600) == "fail unavailable", "expired credentials are refused for certain")
    }

    /// If a refusal makes the credentials only doubtful, the lease asks the source, and then pauses before it asks
    /// again. A later refusal that is certainly due to the credentials ends this pause. It does not end the pause that
    /// follows a failure of the source.
    @Test func certainRefusalEndsPauseOfDoubt() {
        var lease = lease(credentials("1"))
        _ = lease.refused(credentials("1"), .possible)
        lease.received(credentials("1"), now: Self.start, at: instant, jitter: 1)
        #expect(lease.standing == .doubted && !lease.mayAskSource(at: instant))
        _ = lease.refused(credentials("1"), .certain)
        #expect(lease.mayAskSource(at: instant))

        // A later request was accepted, and then the operator replaced the credentials.
        _ = lease.refused(credentials("1"), .possible)
        lease.received(credentials("1"), now: Self.start, at: instant, jitter: 1)
        lease.accepted(credentials("1"))
        _ = lease.refused(credentials("1"), .certain)
        #expect(lease.mayAskSource(at: instant))

        var failing = self.lease(credentials("1"))
        failing.failed(StoreError(.unavailable), at: instant, jitter: 1)
        _ = failing.refused(credentials("1"), .certain)
        #expect(!failing.mayAskSource(at: instant))
    }

    /// A source issues new credentials each time, and the store refuses them all. The lease waits longer and longer
    /// before it asks the source again. After the store has accepted a request, the waits begin at zero again.
    @Test func pausesGrowWhileTheStoreRefusesNewCredentials() {
        var lease = lease(credentials("1"))
        var pauses: [Int] = []
        func refuse(_ number: Int) {
            _ = lease.refused(credentials("\(number)"), .certain)
            pauses.append((0...100).first { lease.mayAskSource(at: instant + .seconds($0)) } ?? -1)
            lease.received(credentials("\(number + 1)"), now: Self.start, at: instant, jitter: 1)
        }
        for number in 1...9 { refuse(number) }
        #expect(pauses == [0, 1, 2, 4, 8, 16, 32, 60, 60])
        #expect(lease.standing == .untried && advice(lease, after: 0) == "use 10")
        lease.accepted(credentials("10"))
        #expect(lease.standing == .trusted)
        for number in 10...12 { refuse(number) }
        #expect(pauses.suffix(2) == [1, 2])
    }

    /// The credentials arrive already expired by the local clock. That clock may be wrong, so the client tries them,
    /// and the store decides.
    @Test func credentialsExpiredOnArrivalAreTried() {
        let lease = lease(credentials("1", lasting: -10))
        #expect(advice(lease, after: 0) == "use 1")
        #expect(advice(lease, after: 0, .seconds(1)) == "wait")
        #expect(advice(lease, after: -20, .seconds(1)) == "use 1", "the clock has been corrected")
    }

    // MARK: The table

    private func lease(_ standing: CredentialLease.Standing) -> CredentialLease {
        var lease = lease(standing == .empty ? nil : credentials(standing == .untried ? "0" : "1"))
        switch standing {
        case .empty, .trusted: break
        case .doubted: _ = lease.refused(credentials("1"), .possible)
        case .refused: _ = lease.refused(credentials("1"), .certain)
        case .untried:
            _ = lease.refused(credentials("0"), .certain)
            lease.received(credentials("1"), now: Self.start, at: instant, jitter: 1)
        }
        return lease
    }

    /// The table of transitions is at the top of `CredentialLease.swift`.
    @Test func theTableListsEveryChange() throws {
        let events: [(inout CredentialLease) -> Void] = [
            { _ = $0.refused(self.credentials("1"), .possible) }, { _ = $0.refused(self.credentials("1"), .certain) },
            { _ = $0.refused(self.credentials("0"), .certain) }, { $0.accepted(self.credentials("1")) },
            { $0.accepted(self.credentials("0")) },
            { $0.received(self.credentials("1"), now: Self.start, at: self.instant, jitter: 1) },
            { $0.received(self.credentials("2"), now: Self.start, at: self.instant, jitter: 1) },
            { $0.failed(StoreError(.unavailable), at: self.instant, jitter: 1) },
        ]
        var changes: Set<TransitionTable.Row> = []
        for standing in CredentialLease.Standing.allCases {
            #expect(lease(standing).standing == standing)
            for event in events {
                var lease = lease(standing)
                event(&lease)
                guard lease.standing != standing else { continue }
                changes.insert(TransitionTable.Row(from: standing.rawValue, to: lease.standing.rawValue))
            }
        }
        let rows = try TransitionTable.rows(of: "Sources/S3Store/Credentials/CredentialLease.swift")
        #expect(changes == Set(rows))
    }
}
