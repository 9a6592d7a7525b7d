import RepositoryFiles
import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

@Suite struct AwaitedAnswerTests {
    private static let now = Instant(nanoseconds: 1_000_000_000)

    private static func name(of state: AwaitedAnswer.State) -> String {
        switch state {
        case .none: "none"
        case .due: "due"
        case .told: "told"
        }
    }

    private static let events: [@Sendable (inout AwaitedAnswer) -> Void] = [
        { $0.awaits(nil, progressAt: now, now: now) }, { $0.awaits(.open, progressAt: now, now: now) },
        { $0.awaits(.complete, progressAt: now, now: now + .seconds(1)) }, { $0.told() },
    ]

    @Test func theTableIsTrue() throws {
        var answers = [AwaitedAnswer()]
        var seen = Set(answers)
        var changes: Set<TransitionTable.Row> = []
        while let answer = answers.popLast() {
            for event in Self.events {
                var next = answer
                event(&next)
                guard next != answer else { continue }
                changes.insert(
                    TransitionTable.Row(from: Self.name(of: answer.state), to: Self.name(of: next.state)))
                if seen.insert(next).inserted { answers.append(next) }
            }
        }
        let rows = try TransitionTable.rows(of: "Sources/TransferCore/Agent/Uploads/AwaitedAnswer.swift")
        #expect(Set(rows) == changes)
    }

    @Test func theSameRequestStaysDueSinceItsBeginning() {
        var answer = AwaitedAnswer()
        answer.awaits(.complete, progressAt: Self.now, now: Self.now)
        answer.awaits(.complete, progressAt: Self.now + .seconds(5), now: Self.now + .seconds(9))
        #expect(answer.dueSince == Self.now && answer.tellsAt(.seconds(30)) == Self.now + .seconds(30))
        answer.told()
        #expect(answer.dueSince == Self.now && answer.tellsAt(.seconds(30)) == nil)
        answer.awaits(.abort, progressAt: Self.now, now: Self.now + .seconds(9))
        #expect(answer.dueSince == Self.now + .seconds(9))
    }

    /// While the agent sends one part after another, it always awaits the answer about some part. So the wait is
    /// counted from the last progress, not from the first of these parts.
    @Test func progressBeginsTheWaitForAPartAnew() {
        var answer = AwaitedAnswer()
        answer.awaits(.part, progressAt: Self.now, now: Self.now)
        answer.told()
        answer.awaits(.part, progressAt: Self.now + .seconds(50), now: Self.now + .seconds(60))
        #expect(answer.state == .due(.part, since: Self.now + .seconds(50)))
    }

    // MARK: The agent

    private static func wait(
        _ duration: Duration, _ driver: inout AgentDriver, answersPing: Bool = true
    ) -> [AgentAction] {
        let end = driver.now + duration
        var actions: [AgentAction] = []
        for _ in 0..<10_000 where driver.now < end && driver.outcomes.isEmpty {
            let deadline = min(driver.machine.nextDeadline ?? end, end)
            let taken = driver.tick(after: deadline.since(driver.now))
            actions += taken
            let isAsked = frames(taken).contains { if case .ping = $0 { true } else { false } }
            if isAsked, answersPing { driver.frame(.pong(Pong(nonce: 1))) }
            driver.commit()
        }
        return actions
    }

    private static func reports(_ actions: [AgentAction]) -> Int {
        actions.count { $0 == .report(AgentDriver.upload, .waitingForAnswer) }
    }

    /// The gateway answers PING, so it is at work. After half a minute the agent reports to the user, once, that it
    /// waits for the gateway's answer.
    @Test func completionOfTenMinutesIsAwaited() {
        var driver = AgentTableTests.driver(in: .completing)
        #expect(Self.reports(Self.wait(.seconds(29), &driver)) == 0)
        #expect(Self.reports(Self.wait(.seconds(2), &driver)) == 1)
        #expect(Self.reports(Self.wait(.seconds(569), &driver)) == 0)
        #expect(driver.outcomes == [])
        driver.frame(AgentDriver.completed())
        driver.commit()
        guard case .stored? = driver.outcomes.first else {
            Issue.record("\(driver.outcomes)")
            return
        }
    }

    /// A gateway that does not answer PING counts as away, whichever other answer it owes.
    @Test func silentGatewayIsGivenUpAfterTheUsualTime() throws {
        var driver = AgentTableTests.driver(in: .completing)
        let began = driver.now
        let actions = Self.wait(.seconds(4_000), &driver, answersPing: false)
        #expect(Self.reports(actions) == 0)
        guard case .failed(let failure)? = driver.outcomes.first else {
            Issue.record("\(driver.outcomes)")
            return
        }
        #expect(failure.kind == .unreachable)
        let waited = driver.now.since(began)
        #expect(waited >= .seconds(290) && waited <= .seconds(301), "\(waited)")
    }

    @Test(arguments: [AgentTableTests.State.opening, .resuming, .completing, .aborting])
    func answerThatNeverComesEndsThePatience(state: AgentTableTests.State) {
        var driver = AgentTableTests.driver(in: state)
        while !driver.reads.isEmpty { driver.read() }
        let began = driver.now
        let actions = Self.wait(.seconds(4_000), &driver)
        #expect(Self.reports(actions) == 1)
        #expect(driver.outcomes == [.failed(.gatewayAtWork(isKept: true))])
        let waited = driver.now.since(began)
        #expect(waited >= .seconds(1_790) && waited <= .seconds(1_801), "\(waited)")
    }

    /// RESUME STATE is no progress, because nothing is stored by it. If it comes late, the agent still continues.
    @Test func lateAnswerIsFollowed() throws {
        var driver = AgentTableTests.driver(in: .resuming)
        while !driver.reads.isEmpty { driver.read() }
        _ = Self.wait(.seconds(600), &driver)
        driver.frame(AgentDriver.resumeState())
        _ = Self.wait(.milliseconds(100), &driver)
        let part = try #require(PartNumber(3))
        driver.frame(.partDecision(PartDecision(part: part, decision: .send(offset: 0, limit: 500))))
        #expect(driver.outcomes == [] && !driver.chunks.isEmpty)
    }

    /// The answer comes after ten minutes and asks the agent to try again. The agent then tries for the usual time.
    @Test func lateRefusalLeavesTheUsualTime() {
        var driver = AgentTableTests.driver(in: .resuming)
        while !driver.reads.isEmpty { driver.read() }
        _ = Self.wait(.seconds(600), &driver)
        driver.frame(
            .sessionRefused(SessionRefused(code: .storeUnavailable, retryAfterMilliseconds: 60_000, message: "")))
        _ = Self.wait(.seconds(200), &driver)
        #expect(driver.outcomes == [] && driver.machine.verdict == nil)
    }

    @Test func confirmationOfAPartIsAwaited() throws {
        var driver = AgentDriver()
        driver.submit(size: 2_500, saved: AgentDriver.saved(stored: 2))
        driver.welcome()
        driver.frame(AgentDriver.resumeState())
        driver.read()
        let part = try #require(PartNumber(3))
        driver.frame(.partDecision(PartDecision(part: part, decision: .send(offset: 0, limit: 500))))
        while !driver.chunks.isEmpty { driver.chunkSent() }
        #expect(Self.reports(Self.wait(.seconds(600), &driver)) == 1)
        #expect(driver.outcomes == [])
        driver.frame(.stored(Stored(part: part, etag: "e")))
        #expect(driver.commit().contains(.checkFile(AgentDriver.upload)))
    }
}
