import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// What the agent does with a gateway's frame in each slot state (specification §6.1, second table).
@Suite struct SlotAnswerTests {
    private static let states = AgentSlotState.allCases

    @Test func effectsMatchTheSpecification() throws {
        let table = try SourceText.specificationTable(
            ["frame", "closed", "opening", "resuming"], under: "### 6.1 Slots")
        #expect(table.header == ["frame"] + Self.states.map(\.rawValue))
        #expect(table.rows.map(\.first) == SlotAnswer.allCases.map(\.rawValue))
        for (row, answer) in zip(table.rows, SlotAnswer.allCases) {
            #expect(Array(row.dropFirst()) == Self.states.map { answer.effect(in: $0).rawValue }, "\(answer.rawValue)")
        }
    }

    @Test func statesMatchTheSpecification() throws {
        let table = try SourceText.specificationTable(["state", "the use of the slot"], under: "### 6.1 Slots")
        let states = table.rows.map { $0[0] }.filter { $0 != "listing" }
        #expect(states == Self.states.map(\.rawValue))
    }

    // MARK: The machine

    private func driver(in state: AgentSlotState) -> AgentDriver {
        switch state {
        case .closed, .leaving:
            var driver = AgentTableTests.driver(in: .sendingDecided)
            driver.change { $0.drop(AgentDriver.upload, now: $1) }
            if state == .leaving { return driver }
            driver.frame(.sessionLeft(SessionLeft()), slot: Slot(1))
            return driver
        case .opening: return AgentTableTests.driver(in: .opening)
        case .resuming: return AgentTableTests.driver(in: .resuming)
        case .open: return AgentTableTests.driver(in: .sendingDecided)
        case .completing: return AgentTableTests.driver(in: .completing)
        case .aborting: return AgentTableTests.driver(in: .aborting)
        case .proving: return AgentProofTests.driver()
        }
    }

    private static let answers = AgentTableTests.Event.frames.compactMap { frame in
        SlotAnswer(frame).map { (answer: $0, frame: frame) }
    }

    private func beginsUse(_ action: AgentAction) -> Bool {
        switch action {
        case .send(_, _, .sessionOpen), .send(_, _, .resumeQuery), .send(_, _, .abort), .send(_, _, .prove): true
        default: false
        }
    }

    @Test(arguments: states)
    func theMachineIgnoresWhatTheTableIgnores(state: AgentSlotState) throws {
        for (answer, frame) in Self.answers where answer.effect(in: state) == .ignore {
            var driver = driver(in: state)
            // Slot 7 was never used, so it is closed.
            let slot = state == .closed ? Slot(7) : Slot(1)
            let before = (driver.machine.progress(of: AgentDriver.upload), driver.machine.slotsInUse)
            let actions = driver.frame(frame, slot: slot)
            #expect(actions.isEmpty, "\(state), \(answer.rawValue)")
            #expect(driver.machine.progress(of: AgentDriver.upload) == before.0)
            #expect(driver.machine.slotsInUse == before.1, "\(state), \(answer.rawValue)")
        }
    }

    /// A frame for which the table says *close* ends the use of the slot. The machine may begin another use of it at
    /// once.
    @Test(arguments: states)
    func theMachineClosesASlotWhereTheTableDoes(state: AgentSlotState) throws {
        for (answer, frame) in Self.answers where answer.effect(in: state) == .close {
            var driver = driver(in: state)
            let before = driver.machine.slotsInUse
            let actions = driver.frame(frame, slot: Slot(1))
            let begun = actions.count(where: beginsUse)
            #expect(driver.machine.slotsInUse == before - 1 + begun, "\(state), \(answer.rawValue)")
        }
    }

    @Test(arguments: states)
    func theMachineKeepsASlotWhereTheTableDoes(state: AgentSlotState) throws {
        for (answer, frame) in Self.answers where [.open, .complete].contains(answer.effect(in: state)) {
            var driver = driver(in: state)
            let before = driver.machine.slotsInUse
            driver.frame(frame, slot: Slot(1))
            #expect(driver.machine.slotsInUse == before, "\(state), \(answer.rawValue)")
        }
    }

    /// A part error arrives before SESSION OPENED. The agent ignores it, because the gateway still holds the agent's
    /// offer.
    @Test func aReportAheadOfItsSessionIsIgnored() throws {
        var driver = AgentTableTests.driver(in: .openingEarly)
        let part = try #require(PartNumber(1))
        let report = ErrorReport(scope: .part(part), code: .storeRefuses, retryAfterMilliseconds: 0, message: "")
        #expect(driver.frame(.error(report)).isEmpty)
        driver.frame(AgentDriver.opened(driver.session))
        driver.commit()
        #expect(driver.outcomes.isEmpty)
    }

    /// A gateway that cannot hold another offer defers it before SESSION OPENED. The agent has sent COMPLETE after the
    /// offer. This COMPLETE becomes void, and the slot is still opening.
    @Test func anOfferMayBeDeferredAheadOfItsSession() throws {
        var driver = AgentTableTests.driver(in: .openingSmallCompleting)
        let part = try #require(PartNumber(1))
        driver.frame(
            .partDecision(PartDecision(part: part, decision: .later(code: .busy, retryAfterMilliseconds: 50))))
        driver.frame(AgentDriver.opened(driver.session))
        var sent = frames(driver.tick(after: .seconds(1)))
        #expect(sent.contains { if case .partOffer = $0 { true } else { false } })
        driver.frame(.partDecision(PartDecision(part: part, decision: .send(offset: 0, limit: 200))))
        while !driver.chunks.isEmpty { sent += frames(driver.chunkSent()) }
        #expect(sent.contains { if case .complete = $0 { true } else { false } })
    }

    @Test func aSlotIsOpeningThoughCompleteWasSentAhead() {
        var driver = AgentTableTests.driver(in: .openingSmallCompleting)
        #expect(driver.frame(AgentDriver.resumeState(.completing)).isEmpty)
        driver.frame(AgentDriver.opened(driver.session))
        driver.frame(AgentDriver.completed(size: 200))
        driver.commit()
        guard case .stored? = driver.outcomes.first else {
            Issue.record("\(driver.outcomes)")
            return
        }
    }

    // MARK: Frames that no gateway sends

    static let unexpected: [(frame: Frame, slot: Slot)] = [
        (.welcome(AgentDriver.welcome(0)), .connection), (.hello(GatewayDriver.hello()), .connection),
        (.enrolled(Enrolled(name: "n", prefix: "")), .connection),
        (.sessionLeave(SessionLeave()), Slot(1)), (.sessionLeave(SessionLeave()), Slot(7)),
        (.abort(Abort(token: [1])), Slot(1)), (.resumeQuery(ResumeQuery(listedParts: 0, token: [1])), Slot(1)),
        (.sessionOpen(GatewayDriver.open(size: 1)), Slot(1)), (.complete(GatewayDriver.complete(2_500)), Slot(1)),
    ]

    @Test(arguments: unexpected.indices)
    func invalidFrameEndsTheConnection(index: Int) throws {
        let (frame, slot) = Self.unexpected[index]
        var driver = AgentTableTests.driver(in: .sendingDecided)
        let connection = try #require(driver.connections.last)
        let actions = driver.frame(frame, slot: slot)
        let reports = frames(actions).compactMap { if case .error(let report) = $0 { report } else { nil } }
        #expect(reports.map(\.code) == [.unexpectedFrame] && reports.map(\.scope) == [.connection])
        #expect(reports.allSatisfy { !$0.message.isEmpty })
        #expect(actions.contains(.close(connection)))
        driver.commit()
        guard case .failed(let failure)? = driver.outcomes.first else {
            Issue.record("\(driver.outcomes)")
            return
        }
        #expect(failure.kind == .protocolViolation)
    }
}
