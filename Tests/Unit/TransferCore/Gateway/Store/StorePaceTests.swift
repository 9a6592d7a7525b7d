import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// How many parts the gateway sends to the store at once, adjusted by the store's answers.
@Suite struct StorePaceTests {
    private static let slowDown = StoreAnswer.failed(.unavailable(retryAfter: .milliseconds(100)))
    private static let stored = StoreAnswer.partStored(etag: "e")
    private let start = Instant(nanoseconds: 1_000_000_000)

    private func pace(_ change: (inout StorePaceLimits) -> Void = { _ in }) -> StorePace {
        var limits = StorePaceLimits()
        limits.partsMax = 64
        limits.spread = .zero
        change(&limits)
        return StorePace(limits: limits)
    }

    private func begin(_ numbers: ClosedRange<UInt64>, _ pace: inout StorePace, at now: Instant) {
        for number in numbers { pace.began(StoreRequestID(number), now: now) }
    }

    private func answer(_ numbers: ClosedRange<UInt64>, _ answer: StoreAnswer, _ pace: inout StorePace, at now: Instant)
    {
        for number in numbers { pace.answered(StoreRequestID(number), answer, now: now) }
    }

    @Test func healthyStoreIsNotLimited() {
        var pace = pace()
        begin(1...63, &pace, at: start)
        #expect(pace.admission(now: start) == .admitted)
        begin(64...64, &pace, at: start)
        #expect(pace.admission(now: start) == .full(retryAfter: .milliseconds(200)))
        answer(1...1, Self.stored, &pace, at: start)
        #expect(pace.admission(now: start) == .admitted)
    }

    @Test func slowDownHalvesThePaceOnce() {
        var pace = pace()
        begin(1...16, &pace, at: start)
        let later = start + .seconds(1)
        answer(1...16, Self.slowDown, &pace, at: later)
        // All sixteen answers belong to parts that were in flight together. They count as one, so the limit is halved
        // only once.
        #expect(pace.partsAllowed == 8)
        #expect(pace.admission(now: later) == .paused(retryAfter: .milliseconds(250)))
        #expect(pace.admission(now: later + .milliseconds(250)) == .admitted)
    }

    @Test func repeatedSlowDownLengthensPauses() {
        var pace = pace { $0.pauseLongest = .seconds(2) }
        var now = start
        var pauses: [Duration] = []
        for number in 1...6 as ClosedRange<UInt64> {
            begin(number...number, &pace, at: now)
            answer(number...number, Self.slowDown, &pace, at: now)
            guard case .paused(let pause) = pace.admission(now: now) else { continue }
            pauses.append(pause)
            now = now + pause
        }
        #expect(pauses == [250, 500, 1_000, 2_000, 2_000, 2_000].map { .milliseconds($0) })
        #expect(pace.partsAllowed == 1)
    }

    @Test func storesRetryAfterCountsUpToABound() {
        for (asked, expected) in [(Duration.seconds(7), Duration.seconds(7)), (.seconds(9_999), .seconds(30))] {
            var pace = pace()
            begin(1...1, &pace, at: start)
            answer(1...1, .failed(.unavailable(retryAfter: asked)), &pace, at: start)
            #expect(pace.admission(now: start) == .paused(retryAfter: expected))
        }
    }

    /// The limit rises by one part when as many parts are stored as the limit allows at once.
    @Test func storedPartsRestoreThePaceSlowly() {
        var pace = pace()
        begin(1...64, &pace, at: start)
        answer(1...64, Self.slowDown, &pace, at: start)
        #expect(pace.partsAllowed == 32)
        var number: UInt64 = 100
        for flight in 1...4 {
            for _ in 0..<(32 + flight) {
                begin(number...number, &pace, at: start + .seconds(60))
                answer(number...number, Self.stored, &pace, at: start + .seconds(60))
                number += 1
            }
            #expect(pace.partsAllowed == 32 + flight)
        }
    }

    @Test func otherFailuresDoNotChangeThePace() {
        let failures: [StoreError] = [
            .unavailable(retryAfter: .zero), .cancelled, .digestMismatch, .outcomeUnknown, .full, .uploadUnknown,
        ]
        for failure in failures {
            var pace = pace()
            begin(1...1, &pace, at: start)
            answer(1...1, .failed(failure), &pace, at: start)
            #expect(pace.partsAllowed == 64 && pace.partsUnderWay == 0)
            #expect(pace.admission(now: start) == .admitted)
        }
    }

    @Test func slowDownOfAnyCallPauses() {
        var pace = pace()
        begin(1...10, &pace, at: start)
        answer(99...99, Self.slowDown, &pace, at: start)
        #expect(pace.partsAllowed == 5)
        #expect(pace.admission(now: start) == .paused(retryAfter: .milliseconds(250)))
    }

    @Test func deferredPartsReturnSpread() {
        var pace = pace { $0.spread = .milliseconds(20) }
        begin(1...1, &pace, at: start)
        answer(1...1, Self.slowDown, &pace, at: start)
        let advised = (1...3).map { _ in pace.admission(now: start) }
        #expect(advised == [270, 290, 310].map { .paused(retryAfter: .milliseconds($0)) })
    }

    // MARK: The slow tail

    /// Begins the parts with these numbers, hands their bytes over to the store, and lets the store confirm each part
    /// after `time`.
    private func settle(_ pace: inout StorePace, _ numbers: ClosedRange<UInt64>, time: Duration) {
        for number in numbers {
            begin(number...number, &pace, at: start)
            pace.handedOver(StoreRequestID(number), now: start)
            answer(number...number, Self.stored, &pace, at: start + time)
        }
    }

    @Test func outlierPartIsSlow() {
        var pace = pace()
        settle(&pace, 1...8, time: .milliseconds(100))
        begin(9...10, &pace, at: start)
        pace.handedOver(StoreRequestID(9), now: start)
        #expect(pace.nextDeadline == start + .seconds(5))
        #expect(pace.takeSlow(now: start + .seconds(4)) == nil)
        #expect(pace.takeSlow(now: start + .seconds(5)) == StoreRequestID(9))
        // A slow part is reported only once. Part 10 is not slow: the gateway has not handed all its bytes to the
        // store, so the part does not wait for the store's answer.
        #expect(pace.takeSlow(now: start + .seconds(500)) == nil)
        #expect(pace.partsUnderWay == 2)
    }

    @Test func uniformlySlowStoreIsNotHurried() {
        var pace = pace()
        settle(&pace, 1...8, time: .seconds(3))
        begin(9...9, &pace, at: start)
        pace.handedOver(StoreRequestID(9), now: start)
        #expect(pace.takeSlow(now: start + .seconds(23)) == nil)
        #expect(pace.takeSlow(now: start + .seconds(24)) == StoreRequestID(9))
    }

    @Test func fewPartsAreRequestedAgain() {
        var pace = pace()
        settle(&pace, 1...8, time: .milliseconds(100))
        for number in 20...25 as ClosedRange<UInt64> {
            begin(number...number, &pace, at: start)
            pace.handedOver(StoreRequestID(number), now: start)
        }
        let late = start + .seconds(60)
        #expect(pace.takeSlow(now: late) == StoreRequestID(20))
        #expect(pace.takeSlow(now: late) == nil && pace.nextDeadline == nil)
        settle(&pace, 30...37, time: .milliseconds(100))
        #expect(pace.takeSlow(now: late) == StoreRequestID(21))
    }

    @Test func deadlineFollowsThePartThatWaitsLongest() {
        var pace = pace()
        settle(&pace, 1...8, time: .milliseconds(100))
        let moments = (0...2).map { start + .seconds($0) }
        for (number, moment) in zip(UInt64(10)..., moments) {
            begin(number...number, &pace, at: start)
            pace.handedOver(StoreRequestID(number), now: moment)
        }
        #expect(pace.nextDeadline == moments[0] + .seconds(5))
        answer(11...11, Self.stored, &pace, at: moments[1])
        #expect(pace.nextDeadline == moments[0] + .seconds(5))
        answer(10...10, Self.stored, &pace, at: moments[2])
        #expect(pace.nextDeadline == moments[2] + .seconds(5))
        for number in 100...1_000 as ClosedRange<UInt64> {
            begin(number...number, &pace, at: moments[2])
            pace.handedOver(StoreRequestID(number), now: moments[2])
            answer(number...number, Self.stored, &pace, at: moments[2])
        }
        #expect(pace.nextDeadline == moments[2] + .seconds(5))
        answer(12...12, Self.stored, &pace, at: moments[2])
        #expect(pace.nextDeadline == nil)
    }

    @Test func noPartIsSlowWithoutMeasurements() {
        var pace = pace()
        begin(1...1, &pace, at: start)
        pace.handedOver(StoreRequestID(1), now: start)
        #expect(pace.nextDeadline == nil)
        #expect(pace.takeSlow(now: start + .seconds(1_000)) == nil)
    }
}

@Suite struct StorePaceInGatewayTests {
    private func open(_ driver: inout GatewayDriver) {
        driver.connect()
        driver.frame(.resumeQuery(ResumeQuery(listedParts: 0, token: GatewayDriver.token(size: 20_000))))
        driver.answer(.parts([]))
    }

    @Test func slowDownDefersOffers() throws {
        var driver = GatewayDriver()
        open(&driver)
        driver.frame(.partOffer(try #require(GatewayDriver.offer(1, of: 20_000))))
        driver.answer(.failed(.unavailable(retryAfter: .seconds(2))))
        let told = frames(driver.frame(.partOffer(try #require(GatewayDriver.offer(2, of: 20_000)))))
        let decisions = told.compactMap { if case .partDecision(let decision) = $0 { decision.decision } else { nil } }
        #expect(decisions == [.later(code: .storeUnavailable, retryAfterMilliseconds: 2_020)])
        #expect(driver.requests.isEmpty)
        driver.tick(after: .seconds(2))
        driver.frame(.partOffer(try #require(GatewayDriver.offer(2, of: 20_000))))
        #expect(driver.requests.count == 1)
    }

    @Test func slowPartIsRequestedAgain() throws {
        var driver = GatewayDriver {
            $0.store.answersNeeded = 2
            $0.store.storedBetweenRepeats = 2
        }
        open(&driver)
        for part in 1...3 as ClosedRange<UInt32> {
            driver.frame(.partOffer(try #require(GatewayDriver.offer(part, of: 20_000))))
            for offset in stride(from: 0, to: 1_000, by: 250) as StrideTo<UInt64> {
                driver.data(part: part, offset: offset, bytes: 250)
                let flow = try #require(driver.flows.last)
                driver.change { $0.consumed(offset + 250, flow: flow, now: $1) }
            }
            if part < 3 { driver.answer(.partStored(etag: "e\(part)")) }
        }
        let slow = try #require(driver.requests.first)
        let told = driver.tick(after: .seconds(6))
        #expect(told.contains(.cancel(slow.id)))
        let three = try #require(PartNumber(3))
        let report = frames(told).compactMap { if case .error(let report) = $0 { report } else { nil } }
        #expect(report.map(\.scope) == [.part(three)] && report.map(\.code) == [.partInterrupted])
        driver.frame(.partOffer(try #require(GatewayDriver.offer(3, of: 20_000))))
        #expect(driver.requests.count == 2)
        #expect(frames(driver.answer(.partStored(etag: "late"))).isEmpty)
        let stored = frames(driver.answer(.partStored(etag: "e3")))
        #expect(stored == [.stored(Stored(part: three, etag: "e3"))])
    }
}
