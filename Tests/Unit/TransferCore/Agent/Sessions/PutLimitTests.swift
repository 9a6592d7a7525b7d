import RepositoryFiles
import Testing
import TransferCommon
import TransferCore

/// A put limit is the time for which a request of an earlier upload may still replace the object. An upload of a new
/// version waits until that time has passed (specification §9.2).
@Suite struct PutLimitTests {
    private static let now = Instant(nanoseconds: 1_000_000_000)

    private static func name(of state: PutLimit.State) -> String {
        switch state {
        case .none: "none"
        case .due: "due"
        case .counting: "counting"
        case .waiting: "waiting"
        }
    }

    private static let events: [@Sendable (inout PutLimit) -> Void] = [
        { _ = $0.named(.seconds(30), now: now) }, { $0.otherVersionMayAppear() },
        { $0.otherVersionWasGivenUp(age: .seconds(5), now: now) },
        { _ = $0.named(.seconds(30), now: now + .seconds(40)) },
    ]

    /// The test leaves out two events where they cannot occur: an upload learns only at its beginning that an earlier
    /// run gave up a version, and in the state `counting` no session has begun whose version could still appear.
    @Test func theTableIsTrue() throws {
        var limits: [PutLimit] = [PutLimit()]
        var changes: Set<TransitionTable.Row> = []
        var seen = Set(limits)
        while let limit = limits.popLast() {
            let from = Self.name(of: limit.state)
            for (index, event) in Self.events.enumerated() {
                if index == 2, from != "none" { continue }
                if index == 1, from == "counting" { continue }
                var next = limit
                event(&next)
                guard next != limit else { continue }
                changes.insert(TransitionTable.Row(from: from, to: Self.name(of: next.state)))
                if seen.insert(next).inserted { limits.append(next) }
            }
        }
        let rows = try TransitionTable.rows(of: "Sources/TransferCore/Agent/Sessions/PutLimit.swift")
        #expect(rows.count == Set(rows).count)
        #expect(Set(rows) == changes)
    }

    /// A gateway names a longer limit where a completion may take longer. A file of one part has no completion.
    @Test(arguments: [(30, 30), (75, 75), (300, 75)])
    func limitOfOnePartIsShort(named: Int, rest: Int) {
        var limit = PutLimit()
        limit.otherVersionMayAppear(isOnePart: true)
        let end = Self.now + .seconds(rest)
        #expect(limit.named(.seconds(named), now: Self.now) == .wait(until: end, rest: .seconds(rest)))
        limit.otherVersionMayAppear()
        let long = Self.now + .seconds(named)
        #expect(limit.named(.seconds(named), now: Self.now) == .wait(until: long, rest: .seconds(named)))
    }

    @Test func theWholeLimitCountsFromTheMomentItIsNamed() {
        var limit = PutLimit()
        limit.otherVersionMayAppear()
        let end = Self.now + .seconds(30)
        #expect(limit.named(.seconds(30), now: Self.now) == .wait(until: end, rest: .seconds(30)))
        #expect(limit.isWaiting(at: Self.now) && !limit.isWaiting(at: end))
        #expect(limit.named(.seconds(30), now: end) == .proceed)
    }

    @Test func aPartOfTheLimitThatHasPassedCounts() {
        var limit = PutLimit()
        limit.otherVersionWasGivenUp(age: .seconds(5), now: Self.now)
        let later = Self.now + .seconds(10)
        #expect(limit.named(.seconds(30), now: later) == .wait(until: later + .seconds(15), rest: .seconds(15)))

        limit = PutLimit()
        limit.otherVersionWasGivenUp(age: .seconds(500), now: Self.now)
        #expect(limit.named(.seconds(30), now: later) == .wait(until: later, rest: .zero))
    }

    @Test func withoutAnotherVersionNothingIsAwaited() {
        var limit = PutLimit()
        limit.ownVersionMayAppear()
        #expect(limit.named(.seconds(30), now: Self.now) == .proceed)
        #expect(limit.state == .none && limit.ownVersion == .mayAppear)
    }

    /// After the wait no earlier request can take effect any more, not even one that stores the same version.
    @Test func noVersionCanAppearAfterTheWait() {
        var limit = PutLimit()
        limit.ownVersionMayAppear()
        limit.otherVersionMayAppear()
        let end = Self.now + .seconds(30)
        #expect(limit.named(.seconds(30), now: Self.now) == .wait(until: end, rest: .seconds(30)))
        #expect(limit.ownVersion == .mayAppear)
        #expect(limit.named(.seconds(30), now: end) == .proceed)
        #expect(limit.ownVersion == .cannotAppear)
    }

    /// After the short wait for a file of one part, a completion of this version, which has several, may still land.
    @Test func ownVersionMayAppearAfterAShortWait() {
        var limit = PutLimit()
        limit.ownVersionMayAppear()
        limit.otherVersionMayAppear(isOnePart: true)
        let end = Self.now + .seconds(75)
        #expect(limit.named(.seconds(300), now: Self.now) == .wait(until: end, rest: .seconds(75)))
        #expect(limit.named(.seconds(300), now: end) == .proceed)
        #expect(limit.ownVersion == .mayAppear)
    }

    /// The wait covers only requests that were sent before it began. The new session sends a COMPLETE, whose outcome is
    /// unknown. When a further session begins, the version of that COMPLETE may still appear.
    @Test func aWaitSaysNothingOfLaterRequests() {
        var limit = PutLimit()
        limit.otherVersionMayAppear()
        let end = Self.now + .seconds(30)
        #expect(limit.named(.seconds(30), now: Self.now) == .wait(until: end, rest: .seconds(30)))
        #expect(limit.named(.seconds(30), now: Self.now + .seconds(10)) == .wait(until: end, rest: .seconds(20)))
        #expect(limit.named(.seconds(30), now: end) == .proceed)
        limit.completeSent()
        #expect(limit.named(.seconds(30), now: end + .seconds(1)) == .proceed)
        #expect(limit.ownVersion == .completeSent)
    }

    /// A refusal answers the last COMPLETE only. The request of an earlier COMPLETE may still take effect.
    @Test func aRefusalConcernsOnlyTheLastComplete() {
        var once = PutLimit()
        once.completeSent()
        once.completeRefused()
        #expect(once.ownVersion == .cannotAppear)

        var twice = PutLimit()
        twice.completeSent()
        twice.completeSent()
        twice.completeRefused()
        #expect(twice.ownVersion == .mayAppear)

        var ofEarlierRun = PutLimit()
        ofEarlierRun.ownVersionMayAppear()
        ofEarlierRun.completeSent()
        ofEarlierRun.completeRefused()
        #expect(ofEarlierRun.ownVersion == .mayAppear)
    }
}
