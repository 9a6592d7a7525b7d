import RepositoryFiles
import SeededRandom
import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// The circuit breaker of a store: a test for each row of its transition table, and for each reason behind a row.
@Suite struct StoreBreakerTests {
    private typealias Cause = StoreBreaker.Cause

    private static let lost = StoreAnswer.failed(.unavailable(retryAfter: .zero))
    private static let full = StoreAnswer.failed(.full)
    private static let pause = StoreAnswer.failed(.unavailable(retryAfter: .milliseconds(100)))
    private static let stored = StoreAnswer.partStored(etag: "e")
    private static let alive = StoreAnswer.object(nil)
    private static let one = BreakerBench.one
    private static let other = GatewayDriver.otherDevice.fingerprint

    private func opened(by answer: StoreAnswer = lost) -> BreakerBench {
        var bench = BreakerBench()
        for _ in 0..<3 { bench.part(answer) }
        return bench
    }

    private func rising(after answer: StoreAnswer = lost) -> BreakerBench {
        var bench = opened(by: answer)
        bench.pass(.seconds(5))
        bench.part(Self.stored)
        return bench
    }

    // MARK: closed → open

    @Test func threeLostAnswersInARowOpen() {
        for answer in [Self.lost, .failed(.outcomeUnknown)] {
            var bench = BreakerBench()
            #expect(bench.admission == .admitted(isCautious: false))
            bench.part(answer)
            // The breaker has become cautious: a part that begins now gets little credit at first.
            #expect(bench.admission == .admitted(isCautious: true))
            bench.call(answer)
            #expect(bench.name == "closed" && bench.changes.isEmpty)
            bench.part(answer)
            #expect(bench.name == "open" && bench.changes == [.opened(.unavailable)])
            #expect(bench.admission == .deferred(.unavailable, retryAfter: .seconds(1)))
        }
    }

    /// Lost answers open the breaker only if they come in a row. Any other answer between them proves that the store is
    /// reachable.
    @Test func oneLostAnswerAmongOthersOpensNothing() {
        let words: [StoreAnswer] =
            [
                .done, .object(nil), .records([]), .uploadCreated(upload: "u"), .parts([]), Self.stored,
                .objectStored(GatewayDriver.storedObject),
            ]
            + [
                .uploadUnknown, .denied, .bucketMissing, .partsInvalid([]), .keyTaken, .keyUnsupported(message: "m"),
                .refused(message: "m"), .full, .unavailable(retryAfter: .seconds(1)),
            ].map { StoreAnswer.failed($0) }
        for word in words {
            var bench = BreakerBench()
            bench.part(Self.lost)
            bench.part(Self.lost)
            bench.part(word)
            bench.part(Self.lost)
            bench.part(Self.lost)
            #expect(bench.name == "closed", "\(word)")
        }
    }

    @Test func neutralAnswersDoNotCount() {
        for word in [StoreError.cancelled, .digestMismatch] {
            var bench = BreakerBench()
            for _ in 0..<9 { bench.part(.failed(word)) }
            #expect(bench.name == "closed", "\(word)")
            bench.part(Self.lost)
            bench.part(Self.lost)
            bench.part(.failed(word))
            bench.part(Self.lost)
            #expect(bench.name == "open", "\(word)")
        }
    }

    @Test func twoDevicesOrThreeRefusalsOpen() {
        for (answer, cause) in [(Self.full, Cause.full), (Self.pause, .throttled)] {
            var single = BreakerBench()
            single.part(answer)
            single.part(answer)
            #expect(single.name == "closed")
            single.part(answer)
            #expect(single.changes == [.opened(cause)])

            var several = BreakerBench()
            several.part(answer)
            several.part(answer, of: Self.other)
            #expect(several.changes == [.opened(cause)])
        }
    }

    /// Only a part that the store has stored shows that the store has room; answers to look-ups and completions do not.
    /// A stored part of *another* device does count: a device that has used up its own quota must not block other
    /// devices.
    @Test func onlyAStoredPartCountersRefusals() {
        for answer in [Self.full, Self.pause] {
            var bench = BreakerBench()
            for _ in 0..<20 {
                bench.part(answer)
                bench.part(Self.stored, of: Self.other)
            }
            #expect(bench.name == "closed")
            bench.part(answer)
            bench.call(Self.alive)
            bench.part(answer)
            bench.call(.objectStored(GatewayDriver.storedObject))
            bench.part(answer)
            #expect(bench.name == "open")
        }
    }

    /// A store answers all parts that are in flight at the same time with the same *slow down*. The breaker counts
    /// these answers once; it is `StorePace` that reduces the number of parts.
    @Test func simultaneousSlowDownsCountOnce() {
        var bench = BreakerBench()
        for flight in 1...3 {
            let requests = (0..<10).map { _ in bench.begin() }
            for request in requests {
                bench.answer(request, Self.pause)
                #expect((bench.name == "open") == (flight == 3))
            }
        }
        // Unlike answers of *slow down*, each answer of *full* counts.
        var full = BreakerBench()
        let requests = (0..<4).map { _ in full.begin() }
        for request in requests { full.answer(request, Self.full) }
        #expect(full.name == "open")
    }

    // MARK: open

    @Test func theWaitsDoubleUpToHalfAMinute() {
        for (answer, expected) in [
            (Self.lost, [1, 2, 4, 8, 16, 30, 30]), (Self.pause, [1, 2, 4, 8, 16, 30, 30]),
            (Self.full, [5, 10, 20, 30, 30]),
        ] {
            var bench = opened(by: answer)
            var waits: [Duration] = []
            for _ in expected {
                guard let wait = bench.deferral else { break }
                waits.append(wait)
                bench.pass(wait - .nanoseconds(1))
                #expect(bench.deferral != nil)
                bench.pass(.nanoseconds(1))
                #expect(bench.admission == .admitted(isCautious: true))
                bench.part(answer)
            }
            #expect(waits == expected.map { .seconds($0) })
            #expect(bench.changes.count == 1, "it is reported once")
        }
    }

    @Test func deferredPartsReturnSpread() {
        var bench = opened()
        bench.breaker = StoreBreaker(limits: StoreBreakerLimits())
        for _ in 0..<3 { bench.part(Self.lost) }
        let advised = (1...3).map { _ in bench.breaker.admission(now: bench.now) }
        #expect(
            advised == [1_020, 1_040, 1_060].map { .deferred(.unavailable, retryAfter: .milliseconds($0)) })
    }

    /// A request without part data that begins after the wait and gets no answer counts as a failed trial, although it
    /// cost no part data.
    @Test func aCallThatFailsIsATrialThatCostsNothing() {
        var bench = opened()
        bench.call(Self.lost)
        #expect(bench.breaker.pause(now: bench.now) == .seconds(1), "it was not yet time")
        let early = bench.ask()
        bench.pass(.seconds(1))
        bench.answer(early, Self.lost)
        #expect(bench.deferral == nil, "it was asked before it was time")
        bench.call(Self.lost)
        #expect(bench.deferral == .seconds(2))
        bench.pass(.seconds(2))
        bench.call(Self.full)
        #expect(bench.cause == .full && bench.deferral == .seconds(5))
        #expect(bench.changes == [.opened(.unavailable), .opened(.full)])
    }

    @Test func aStoreThatAnswersAgainIsTriedAtOnce() {
        var bench = opened()
        bench.call(Self.alive)
        #expect(bench.deferral == nil && bench.name == "open")
        // A store may answer look-ups and still take no parts. So an answered look-up does not bring the next trial
        // forward.
        bench.part(Self.lost)
        #expect(bench.deferral == .seconds(2))
        for _ in 0..<5 { bench.call(Self.alive) }
        #expect(bench.deferral == .seconds(2))
        // The store was silent and answers again, so the breaker tries a part at once.
        bench.call(Self.lost)
        bench.call(Self.alive)
        #expect(bench.deferral == nil)
    }

    /// A store that was full and has since gone down counts as silent, whatever it answered while it was full.
    @Test func fullStoreThatGoesDownIsTriedWhenItAnswersAgain() {
        var bench = opened(by: Self.full)
        bench.call(Self.alive)
        bench.pass(.seconds(60))
        bench.part(Self.lost)
        #expect(bench.cause == .unavailable && bench.deferral != nil)
        bench.call(Self.alive)
        #expect(bench.deferral == nil && bench.name == "open")
    }

    @Test func answersSayNothingOfRoom() {
        for answer in [Self.full, Self.pause] {
            var bench = opened(by: answer)
            for _ in 0..<5 { bench.call(Self.alive) }
            #expect(bench.deferral != nil)
        }
    }

    @Test func aPartThatIsStoredLateEndsTheWait() {
        for answer in [Self.lost, Self.full] {
            var bench = BreakerBench()
            let late = bench.begin()
            for _ in 0..<3 { bench.part(answer) }
            bench.answer(late, Self.stored)
            #expect(bench.name == "open" && bench.deferral == nil)
        }
    }

    @Test func downStoreOpensNoSession() {
        var bench = opened()
        #expect(bench.openingRefusal == .seconds(1))
        bench.pass(.seconds(1))
        #expect(bench.openingRefusal == nil)
        // A full store can still answer look-ups, so the gateway opens sessions.
        let full = opened(by: Self.full)
        #expect(full.openingRefusal == nil)
    }

    // MARK: trying

    @Test func thereIsOneTrialAtATime() {
        var bench = opened()
        #expect(!bench.breaker.isTrusting)
        bench.pass(.seconds(1))
        let trial = bench.begin()
        #expect(bench.name == "trying" && bench.deferral == .seconds(1))
        bench.answer(trial, Self.lost)
        #expect(bench.name == "open" && bench.deferral == .seconds(2))
    }

    @Test func silentTrialFreesItsTurn() {
        for end in [StoreAnswer.failed(.cancelled), .failed(.digestMismatch)] {
            var bench = opened()
            bench.pass(.seconds(1))
            bench.part(end)
            #expect(bench.name == "open" && bench.deferral == nil)
        }
        var bench = opened()
        bench.pass(.seconds(1))
        let gone = bench.begin()
        bench.breaker.abandoned(gone, now: bench.now)
        #expect(bench.deferral == nil)
        let next = bench.begin()
        // The breaker has abandoned this trial. Its late answer changes nothing.
        bench.answer(gone, Self.lost)
        bench.breaker.abandoned(gone, now: bench.now)
        #expect(bench.name == "trying")
        bench.answer(next, Self.lost)
        #expect(bench.deferral == .seconds(2))
    }

    @Test func pendingTrialBlocksOthersForHalfAMinute() {
        var bench = opened()
        bench.pass(.seconds(1))
        let slow = bench.begin()
        bench.pass(.seconds(29))
        #expect(bench.deferral == .seconds(1))
        bench.pass(.seconds(1))
        #expect(bench.deferral == nil)
        let next = bench.begin()
        #expect(bench.deferral != nil)
        bench.answer(slow, Self.lost)
        #expect(bench.name == "trying")
        bench.answer(next, Self.lost)
        #expect(bench.name == "open")
    }

    @Test func trialDoesNotProveRoomInAFullStore() {
        for (answer, name) in [(Self.lost, "rising 2"), (Self.full, "open"), (Self.pause, "open")] {
            var bench = opened(by: answer)
            bench.pass(.seconds(5))
            bench.part(.failed(.uploadUnknown))
            #expect(bench.name == name)
        }
    }

    // MARK: rising

    @Test func eachStoredPartAdmitsOneMore() {
        var bench = rising()
        var most: [Int] = []
        while bench.name != "closed" {
            var flight: [StoreRequestID] = []
            while bench.deferral == nil { flight.append(bench.begin()) }
            most.append(flight.count)
            for request in flight { bench.answer(request, Self.stored) }
        }
        #expect(most == [2, 4, 8])
        #expect(bench.changes == [.opened(.unavailable), .closed])
        #expect(bench.admission == .admitted(isCautious: false))
    }

    @Test func itClosesAfterHalfAMinuteWithoutFailures() {
        var bench = rising()
        #expect(bench.breaker.nextDeadline == bench.now + .seconds(30))
        bench.pass(.seconds(29))
        bench.tick()
        #expect(bench.name == "rising 2")
        bench.pass(.seconds(1))
        bench.tick()
        #expect(bench.name == "closed" && bench.changes.last == .closed && bench.breaker.nextDeadline == nil)
    }

    @Test func itOpensAgainForTwiceAsLong() {
        var bench = rising()
        bench.part(Self.lost)
        bench.part(Self.lost)
        #expect(bench.name == "rising 2")
        bench.part(Self.lost)
        #expect(bench.name == "open" && bench.deferral == .seconds(2))
        #expect(bench.changes == [.opened(.unavailable)])
    }

    @Test func abandonedPartFreesItsPlace() {
        var bench = rising()
        let first = bench.begin()
        _ = bench.begin()
        #expect(bench.deferral == .milliseconds(200))
        bench.breaker.abandoned(first, now: bench.now)
        #expect(bench.deferral == nil)
    }

    // MARK: Random sequences

    /// The breaker gets random answers in random order. Within half a minute after the last one it admits a part again.
    @Test func breakerAlwaysClosesAgain() {
        let answers = [
            Self.lost, Self.full, Self.pause, Self.stored, Self.alive, .failed(.cancelled), .failed(.digestMismatch),
        ]
        var seen: Set<String> = []
        for seed in 0..<2_000 as Range<UInt64> {
            var bench = BreakerBench()
            var generator = SeededGenerator(seed: seed)
            func draw(_ count: Int) -> Int { Int.random(in: 0..<count, using: &generator) }
            var underWay: [StoreRequestID] = []
            for _ in 0..<60 {
                switch draw(6) {
                case 0: if bench.deferral == nil { underWay.append(bench.begin()) }
                case 1: underWay.append(bench.ask())
                case 2, 3:
                    guard !underWay.isEmpty else { continue }
                    let device = draw(2) == 0 ? Self.one : Self.other
                    bench.answer(underWay.remove(at: draw(underWay.count)), answers[draw(answers.count)], of: device)
                case 4: if let request = underWay.last { bench.breaker.abandoned(request, now: bench.now) }
                default: bench.pass(.milliseconds(draw(9_000)))
                }
                bench.tick()
                seen.insert(bench.name)
            }
            for request in underWay { bench.answer(request, Self.lost) }
            bench.pass(.seconds(30))
            #expect(bench.deferral == nil, "seed \(seed)")
        }
        #expect(seen.isSuperset(of: ["closed", "open", "trying", "rising 2"]))
    }

    @Test func theTableNamesTheStates() throws {
        let names: Set<String> = ["closed", "open", "trying", "rising"]
        let rows = try TransitionTable.rows(of: "Sources/TransferCore/Gateway/Store/StoreBreaker.swift")
        #expect(rows.count == 10)
        #expect(Set(rows.map(\.from)) == names)
        #expect(Set(rows.map(\.to)) == names)
    }
}
