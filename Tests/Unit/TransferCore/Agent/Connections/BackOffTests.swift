import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// Delays before the agent tries again (specification §5.4).
@Suite struct BackOffTests {
    /// Longest delay after `failures` consecutive failures. The agent draws the delay between half of this value and
    /// the value itself.
    private static func ceiling(_ failures: Int, longest: Duration) -> Duration {
        min(.milliseconds(250) * (1 << (failures - 1)), longest)
    }

    private func patient(_ change: (inout AgentLimits) -> Void = { _ in }) -> AgentDriver {
        AgentDriver {
            $0.retryFor = .seconds(1_000_000)
            change(&$0)
        }
    }

    private func expect(_ wait: Duration, after failures: Int, longest: Duration, _ comment: Comment? = nil) {
        let ceiling = Self.ceiling(failures, longest: longest)
        #expect(wait >= ceiling / 2 && wait <= ceiling, comment)
    }

    private func wait(
        for isAwaited: (AgentAction) -> Bool, _ driver: inout AgentDriver,
        sourceLocation: SourceLocation = #_sourceLocation
    ) -> Duration {
        let began = driver.now
        for _ in 0..<100 {
            guard let deadline = driver.machine.nextDeadline else { break }
            let actions = driver.tick(after: deadline.since(driver.now))
            if actions.contains(where: isAwaited) { return driver.now.since(began) }
            // A PONG keeps the connection alive meanwhile.
            driver.frame(.pong(Pong(nonce: 1)))
        }
        Issue.record("nothing was tried again", sourceLocation: sourceLocation)
        return .zero
    }

    private func waitToConnect(_ driver: inout AgentDriver) -> Duration {
        wait(for: { if case .connect = $0 { true } else { false } }, &driver)
    }

    private func waitToSend(_ type: FrameType, _ driver: inout AgentDriver) -> Duration {
        wait(for: { if case .send(_, _, let frame) = $0 { frame.type == type } else { false } }, &driver)
    }

    // MARK: Connections

    /// The ends of a connection, each with the longest delay that the agent then waits before it connects again.
    enum Ending: CaseIterable {
        case notMade, cutBeforeWelcome, timedOut
        case refused, idle

        var longest: Duration {
            switch self {
            case .notMade, .cutBeforeWelcome, .timedOut: .seconds(10)
            case .refused, .idle: .seconds(60)
            }
        }
    }

    private func end(_ ending: Ending, _ driver: inout AgentDriver) {
        guard let id = driver.connections.last else { return }
        switch ending {
        case .notMade:
            _ = driver.connectionLost()
        case .cutBeforeWelcome:
            driver.change { $0.connected(id, now: $1) }
            _ = driver.connectionLost()
        case .timedOut:
            driver.tick(after: .seconds(20))
        case .refused, .idle:
            driver.change { $0.connected(id, now: $1) }
            let code: ErrorCode = ending == .idle ? .idle : .tooManyConnections
            let report = ErrorReport(scope: .connection, code: code, retryAfterMilliseconds: 0, message: "")
            driver.frame(.error(report), slot: .connection)
        }
    }

    @Test(arguments: Ending.allCases)
    func connectionWaitsDoubleUpToTheMaximum(ending: Ending) {
        var driver = patient()
        driver.submit(size: 2_500)
        for failures in 1...12 {
            end(ending, &driver)
            expect(waitToConnect(&driver), after: failures, longest: ending.longest, "\(ending), \(failures)")
        }
    }

    @Test func welcomeResetsTheConnectionCount() {
        var driver = patient()
        driver.submit(size: 2_500)
        for _ in 1...8 {
            _ = driver.connectionLost()
            _ = waitToConnect(&driver)
        }
        driver.welcome()
        _ = driver.connectionLost()
        expect(waitToConnect(&driver), after: 1, longest: .seconds(10))
    }

    @Test(arguments: [(9_000, 9), (3_000_000, 600), (UInt32.max, 600)])
    func adviceIsFollowedUpToTenMinutes(milliseconds: UInt32, seconds: Int) {
        var driver = patient()
        driver.submit(size: 2_500)
        if let id = driver.connections.last { driver.change { $0.connected(id, now: $1) } }
        let report = ErrorReport(
            scope: .connection, code: .draining, retryAfterMilliseconds: milliseconds, message: "")
        driver.frame(.error(report), slot: .connection)
        #expect(waitToConnect(&driver) == .seconds(seconds))
    }

    // MARK: Sessions

    @Test(arguments: [ErrorCode.busy, .storeUnavailable, .storeFull, .tokenKeyUnknown, .draining, .internal])
    func sessionWaitsDoubleUpToAMinute(code: ErrorCode) {
        var driver = patient()
        driver.submit(size: 900)
        driver.welcome()
        driver.commit()
        for failures in 1...11 {
            driver.frame(.sessionRefused(SessionRefused(code: code, retryAfterMilliseconds: 0, message: "")))
            expect(waitToSend(.sessionOpen, &driver), after: failures, longest: .seconds(60), "\(code), \(failures)")
        }
    }

    /// With its refusal the gateway sends the time after which it will try the store again. The agent never waits less
    /// than that. It counts at most three failures of a store, so that its own back-off stays short.
    @Test(arguments: [ErrorCode.storeUnavailable, .storeFull])
    func adviceForAStoreBoundsTheWait(code: ErrorCode) {
        var driver = patient()
        driver.submit(size: 900)
        driver.welcome()
        driver.commit()
        for failures in 1...11 {
            driver.frame(.sessionRefused(SessionRefused(code: code, retryAfterMilliseconds: 100, message: "")))
            expect(waitToSend(.sessionOpen, &driver), after: min(failures, 3), longest: .seconds(60), "\(failures)")
        }
        driver.frame(.sessionRefused(SessionRefused(code: code, retryAfterMilliseconds: 7_000, message: "")))
        #expect(waitToSend(.sessionOpen, &driver) == .seconds(7))
    }

    @Test func storedPartResetsTheSessionCount() throws {
        var driver = patient()
        driver.submit(size: 2_500, saved: AgentDriver.saved(stored: 0))
        driver.welcome()
        for _ in 1...6 {
            driver.frame(.sessionRefused(SessionRefused(code: .busy, retryAfterMilliseconds: 0, message: "")))
            _ = waitToSend(.resumeQuery, &driver)
        }
        driver.frame(AgentDriver.resumeState())
        driver.read()
        let part = try #require(PartNumber(1))
        driver.frame(.partDecision(PartDecision(part: part, decision: .have(etag: "e"))))
        driver.frame(.error(ErrorReport(scope: .session, code: .busy, retryAfterMilliseconds: 0, message: "")))
        expect(waitToSend(.resumeQuery, &driver), after: 1, longest: .seconds(60))
    }

    // MARK: Parts

    private func deferPart(_ number: UInt32, _ driver: inout AgentDriver) {
        guard let part = PartNumber(number) else { return }
        driver.frame(
            .partDecision(PartDecision(part: part, decision: .later(code: .busy, retryAfterMilliseconds: 0))))
    }

    @Test func partWaitsDoubleUpToAMinute() throws {
        var driver = patient()
        driver.submit(size: 2_500)
        driver.welcome(initialCredit: 0)
        driver.commit()
        driver.frame(AgentDriver.opened(driver.session))
        driver.read()
        driver.read()
        for failures in 1...10 {
            deferPart(1, &driver)
            expect(waitToSend(.partOffer, &driver), after: failures, longest: .seconds(60), "\(failures)")
        }
        let other = try #require(PartNumber(2))
        driver.frame(.partDecision(PartDecision(part: other, decision: .have(etag: "e"))))
        deferPart(1, &driver)
        expect(waitToSend(.partOffer, &driver), after: 1, longest: .seconds(60))
    }

    /// No part of a one-part file is stored before the file ends. So the agent sets its counts of failures to zero as
    /// soon as new data of the part arrives at a gateway. One more failure then does not make the agent wait for a
    /// minute.
    @Test func arrivingDataResetsTheCountsOfAOnePartFile() throws {
        var driver = patient()
        driver.submit(size: 900)
        driver.welcome(initialCredit: 0)
        driver.commit()
        for _ in 1...6 {
            driver.frame(.sessionRefused(SessionRefused(code: .busy, retryAfterMilliseconds: 0, message: "")))
            _ = waitToSend(.sessionOpen, &driver)
        }
        driver.frame(AgentDriver.opened(driver.session))
        driver.read(size: 900)
        for _ in 1...6 {
            deferPart(1, &driver)
            _ = waitToSend(.partOffer, &driver)
        }
        let part = try #require(PartNumber(1))
        driver.frame(.partDecision(PartDecision(part: part, decision: .send(offset: 0, limit: 300))))
        driver.chunkSent()
        driver.frame(.received(Received(part: part, received: 256, limit: 600)))
        while !driver.chunks.isEmpty { driver.chunkSent() }
        let report = ErrorReport(scope: .part(part), code: .partInterrupted, retryAfterMilliseconds: 0, message: "")
        driver.frame(.error(report))
        expect(waitToSend(.partOffer, &driver), after: 1, longest: .seconds(60))
        driver.frame(.error(ErrorReport(scope: .session, code: .busy, retryAfterMilliseconds: 0, message: "")))
        expect(waitToSend(.sessionOpen, &driver), after: 1, longest: .seconds(60))
    }

    @Test func aDeferredPartDoesNotCountForItsSession() {
        var driver = patient()
        driver.submit(size: 2_500)
        driver.welcome(initialCredit: 0)
        driver.commit()
        driver.frame(AgentDriver.opened(driver.session))
        driver.read()
        for _ in 1...6 {
            deferPart(1, &driver)
            _ = waitToSend(.partOffer, &driver)
        }
        driver.frame(.error(ErrorReport(scope: .session, code: .busy, retryAfterMilliseconds: 0, message: "")))
        expect(waitToSend(.resumeQuery, &driver), after: 1, longest: .seconds(60))
    }
}
