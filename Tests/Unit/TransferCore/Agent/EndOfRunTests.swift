import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// Tests of runs that end for lack of progress: the run as a whole ends, not only the uploads that are under way.
@Suite struct EndOfRunTests {
    private static let retryFor = Duration.seconds(100)

    /// Two uploads that wait for the answer to SESSION OPEN. The gateway's frames arrive in the slot of the second one.
    private static func opening() -> AgentDriver {
        var driver = AgentDriver {
            $0.retryFor = retryFor
            $0.answerFor = retryFor
        }
        driver.submit(size: 2_500)
        driver.submit(size: 2_500, id: UploadID(2))
        driver.welcome()
        driver.commit()
        return driver
    }

    /// Passes time, while the gateway sends a frame often enough to keep the connection alive.
    private static func wait(_ duration: Duration, _ driver: inout AgentDriver) {
        for _ in 0..<10 {
            driver.tick(after: duration / 10)
            if !driver.connections.isEmpty { driver.frame(.pong(Pong(nonce: 1))) }
        }
    }

    /// The shell has 20,000 files and submits 256 at a time. The gateway cannot be reached. The run ends after
    /// `retryFor`, and does not wait as long again for each further 256 files.
    @Test func filesOfARunShareOnePatience() throws {
        var driver = AgentDriver { $0.retryFor = Self.retryFor }
        let start = driver.now
        var submitted = 0
        while driver.machine.verdict == nil, submitted < 20_000 {
            while driver.machine.room > 0, submitted < 20_000 {
                submitted += 1
                driver.submit(size: 10, id: UploadID(Int64(submitted)))
            }
            let deadline = try #require(driver.machine.nextDeadline)
            driver.tick(after: deadline.since(driver.now))
            driver.commit()
        }
        #expect(driver.machine.verdict?.kind == .unreachable)
        #expect(driver.now.since(start) == Self.retryFor)
        #expect(submitted == AgentLimits().sessionsMax)
        #expect(driver.outcomes.count == submitted)
        #expect(driver.machine.isIdle && driver.connections.isEmpty)
        // A file that the shell has submitted before it noticed the end fails at once.
        driver.submit(size: 10, id: UploadID(20_000))
        driver.commit()
        #expect(driver.outcomes.count == submitted + 1)
        #expect(driver.machine.nextDeadline == nil && driver.connections.isEmpty)
    }

    @Test func theReasonIsThatOfTheUploadsThatWait() {
        var driver = Self.opening()
        driver.frame(.sessionRefused(SessionRefused(code: .storeFull, retryAfterMilliseconds: 200_000, message: "")))
        driver.commit()
        Self.wait(Self.retryFor + .seconds(10), &driver)
        driver.commit()
        #expect(driver.machine.verdict?.kind == .storeFull)
        #expect(driver.outcomes.count == 2)
    }

    /// The gateway refuses an upload for now and is then lost. At the end of the run, what it said is no longer the
    /// reason.
    @Test func theReasonIsNotThatOfALostGateway() throws {
        var driver = Self.opening()
        driver.frame(.sessionRefused(SessionRefused(code: .busy, retryAfterMilliseconds: 1_000, message: "")))
        driver.commit()
        while driver.machine.verdict == nil {
            for id in driver.connections { driver.handle(.connectionLost(id)) }
            let deadline = try #require(driver.machine.nextDeadline)
            driver.tick(after: max(deadline.since(driver.now), .milliseconds(1)))
            driver.commit()
        }
        #expect(driver.machine.verdict == .noGateway)
        #expect(driver.outcomes == [.failed(.noGateway), .failed(.noGateway)])
    }

    @Test func theRunSaysWhatItWaitsFor() throws {
        var driver = AgentDriver { $0.retryFor = Self.retryFor }
        #expect(driver.machine.wait == nil, "there is nothing to do")
        driver.submit(size: 2_500)
        #expect(driver.machine.wait == RunWait(until: driver.now + Self.retryFor))
        driver.welcome()
        driver.commit()
        #expect(driver.machine.wait == nil, "the answer to SESSION OPEN is awaited")
        driver.tick(after: .seconds(1))
        let full = SessionRefused(code: .storeFull, retryAfterMilliseconds: 10_000, message: "full")
        driver.frame(.sessionRefused(full))
        #expect(driver.machine.wait?.refusal?.code == .storeFull)
        #expect(driver.machine.wait?.refusal?.message == "full")
        driver.tick(after: .seconds(20))
        driver.commit()
        driver.frame(AgentDriver.opened(driver.session))
        #expect(driver.machine.wait == nil, "the opened session is progress")
    }

    /// A refused file is an outcome, and each outcome counts as progress. The run ends only if it has no outcome for
    /// `retryFor`.
    @Test func everyOutcomeIsProgress() {
        var driver = Self.opening()
        Self.wait(.seconds(90), &driver)
        driver.frame(.sessionRefused(SessionRefused(code: .keyInvalid, retryAfterMilliseconds: 0, message: "")))
        driver.commit()
        #expect(driver.outcomes.count == 1)
        Self.wait(.seconds(90), &driver)
        #expect(driver.machine.verdict == nil)
        Self.wait(.seconds(20), &driver)
        #expect(driver.machine.verdict?.kind == .gatewayAtWork)
    }

    /// The run ends without SESSION LEAVE. The gateway then keeps the received bytes of unfinished parts for a while,
    /// so a later run need not send them again.
    @Test func theRunEndsWithoutLeavingItsSessions() {
        var driver = Self.opening()
        Self.wait(Self.retryFor - .seconds(5), &driver)
        #expect(driver.machine.verdict == nil && !driver.connections.isEmpty)
        let actions = driver.tick(after: .seconds(5))
        #expect(driver.machine.verdict != nil)
        #expect(!frames(actions).contains(.sessionLeave(SessionLeave())))
        #expect(driver.connections.isEmpty)
    }
}
