import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// An upload that uses several slots ends only when the gateway has answered in the last of them (specification §8.2).
@Suite struct JoinedSlotTests {
    private typealias Place = (connection: ConnectionID, slot: Slot)

    /// An answer of the gateway that reports the session as lost or failed in one slot.
    enum Answer: CustomStringConvertible, Sendable {
        case lost
        case refused(ErrorCode)
        case error(ErrorCode)

        var frame: Frame {
            switch self {
            case .lost: AgentDriver.resumeState(.lost)
            case .refused(let code):
                .sessionRefused(SessionRefused(code: code, retryAfterMilliseconds: 0, message: ""))
            case .error(let code):
                .error(ErrorReport(scope: .session, code: code, retryAfterMilliseconds: 0, message: ""))
            }
        }

        var description: String {
            switch self {
            case .lost: "RESUME STATE lost"
            case .refused(let code): "SESSION REFUSED \(code)"
            case .error(let code): "ERROR \(code)"
            }
        }
    }

    private static let ofSessions = FailureRule.all.filter { $0.scopes.contains(.session) }.map(\.code)
    static let answersToAQuery: [Answer] = [.lost] + ofSessions.flatMap { [.refused($0), .error($0)] }

    /// The state of the upload's first slot when the answer arrives in the second.
    enum Other: CaseIterable {
        case open, completing
    }

    private func send(_ frame: Frame, to place: Place, _ driver: inout AgentDriver) -> [AgentAction] {
        driver.change { $0.receivedFrame(frame, slot: place.slot, from: place.connection, now: $1) }
    }

    /// A driver with the session open in the first slot. In the second slot it has sent RESUME QUERY to join the
    /// session there, and the gateway has not answered yet.
    private func joining() throws -> (driver: AgentDriver, first: Place, second: Place) {
        var driver = AgentDriver { $0.connections = 2 }
        driver.submit(size: 2_500, saved: AgentDriver.saved(stored: 0))
        for id in driver.connections {
            driver.change { $0.connected(id, now: $1) }
            driver.change { $0.receivedFrame(.welcome(AgentDriver.welcome(0)), slot: .connection, from: id, now: $1) }
        }
        let first = try #require(driver.slots.first)
        _ = send(AgentDriver.resumeState(), to: first, &driver)
        try #require(driver.slots.count == 2)
        return (driver, first, driver.slots[1])
    }

    private func complete(in place: Place, _ driver: inout AgentDriver) {
        var actions: [AgentAction] = []
        while !driver.reads.isEmpty { actions += driver.read() }
        while let index = actions.firstIndex(where: { if case .send(_, _, .partOffer) = $0 { true } else { false } }) {
            guard case .send(let id, let slot, .partOffer(let offer)) = actions.remove(at: index) else { break }
            let decision = PartDecision(part: offer.part, decision: .have(etag: "etag-\(offer.part.value)"))
            actions += send(.partDecision(decision), to: (id, slot), &driver)
        }
        driver.commit()
        #expect(completes(check(&driver)) == [place.connection])
    }

    private func check(_ driver: inout AgentDriver) -> [AgentAction] {
        driver.change { $0.fileChecked(.success(AgentDriver.stamp), of: AgentDriver.upload, now: $1) }
    }

    private func completes(_ actions: [AgentAction]) -> [ConnectionID] {
        actions.compactMap { if case .send(let id, _, .complete) = $0 { id } else { nil } }
    }

    private func hasLoss(_ actions: [AgentAction]) -> Bool {
        actions.contains { if case .journal(_, .lost) = $0 { true } else { false } }
    }

    private func expectStored(answeredIn place: Place, _ driver: inout AgentDriver, _ comment: Comment) {
        _ = send(AgentDriver.completed(), to: place, &driver)
        driver.commit()
        guard case .stored? = driver.outcomes.first else {
            Issue.record(comment)
            return
        }
    }

    @Test(arguments: answersToAQuery, Other.allCases)
    func joiningQueryEndsNothing(answer: Answer, other: Other) throws {
        var (driver, first, second) = try joining()
        if other == .completing { complete(in: first, &driver) }
        let actions = send(answer.frame, to: second, &driver)
        #expect(frames(actions).isEmpty && !hasLoss(actions))
        #expect(driver.commit().isEmpty && driver.outcomes.isEmpty)
        if other == .open { complete(in: first, &driver) }
        expectStored(answeredIn: first, &driver, "\(answer)")
    }

    /// The second connection leads to a gateway that reports a completion under way, and then a lost session. A gateway
    /// sees exactly this while another gateway completes the session, so the agent must not treat the session as lost.
    @Test(arguments: Other.allCases)
    func awaitedLossInTheJoinedSlotEndsNothing(other: Other) throws {
        var (driver, first, second) = try joining()
        if other == .completing { complete(in: first, &driver) }
        _ = send(AgentDriver.resumeState(.completing), to: second, &driver)
        let actions = send(Answer.error(.sessionLost).frame, to: second, &driver)
        #expect(!hasLoss(actions))
        #expect(!frames(actions).contains { if case .sessionLeave = $0 { true } else { false } })
        if other == .open { complete(in: first, &driver) }
        expectStored(answeredIn: first, &driver, "\(other)")
    }

    @Test(arguments: Other.allCases)
    func aLossInAnOpenSlotEndsNothing(other: Other) throws {
        var (driver, first, second) = try joining()
        _ = send(AgentDriver.resumeState(), to: second, &driver)
        if other == .completing { complete(in: first, &driver) }
        #expect(!hasLoss(send(Answer.error(.sessionLost).frame, to: second, &driver)))
        if other == .open { complete(in: first, &driver) }
        expectStored(answeredIn: first, &driver, "\(other)")
    }

    /// The gateway answers COMPLETE in the first slot by reporting the session as lost. The second slot may lead to
    /// another gateway that still has the upload, so the agent sends COMPLETE there.
    @Test func lossAtCompletionQueriesTheOtherSlot() throws {
        var (driver, first, second) = try joining()
        _ = send(AgentDriver.resumeState(), to: second, &driver)
        complete(in: first, &driver)
        #expect(!hasLoss(send(Answer.error(.sessionLost).frame, to: first, &driver)))
        #expect(completes(check(&driver)) == [second.connection])
        expectStored(answeredIn: second, &driver, "completed elsewhere")
    }

    @Test func theLossInTheLastSlotCounts() throws {
        var (driver, first, second) = try joining()
        _ = send(AgentDriver.resumeState(), to: second, &driver)
        complete(in: first, &driver)
        #expect(!hasLoss(send(Answer.error(.sessionLost).frame, to: second, &driver)))
        #expect(hasLoss(send(Answer.error(.sessionLost).frame, to: first, &driver)))
    }

    /// A query that joins a session lists no parts, so its answer cannot prove that the session is lost. If the upload
    /// has no other slot left, the agent therefore resumes the session with its part list.
    @Test(arguments: [Answer.lost, .refused(.sessionLost), .refused(.tokenForeign)])
    func joiningQueryInTheLastSlotIsRepeated(answer: Answer) throws {
        var (driver, first, second) = try joining()
        driver.change { $0.connectionLost(first.connection, now: $1) }
        #expect(!hasLoss(send(answer.frame, to: second, &driver)))
        let later = frames(driver.tick(after: .seconds(1)))
        #expect(later.contains { if case .resumeQuery = $0 { true } else { false } })
        #expect(hasLoss(driver.frame(answer.frame)))
    }

    @Test func wantedPartsOpenTheirOwnSlotOnly() throws {
        var (driver, first, second) = try joining()
        complete(in: first, &driver)
        _ = send(AgentDriver.resumeState(.completing), to: second, &driver)
        let part = try #require(PartNumber(2))
        _ = send(.partsWanted(PartsWanted(parts: [part])), to: second, &driver)
        let offers = driver.read().compactMap { action -> ConnectionID? in
            if case .send(let id, _, .partOffer) = action { id } else { nil }
        }
        #expect(offers == [second.connection])
        _ = send(.partsWanted(PartsWanted(parts: [part])), to: first, &driver)
        #expect(driver.reads.isEmpty, "the part is on its way already")
    }
}
