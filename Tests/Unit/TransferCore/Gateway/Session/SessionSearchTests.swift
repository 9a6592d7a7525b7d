import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

@Suite struct SessionSearchTests {
    private static let now = Instant(nanoseconds: 1_000_000_000)
    private static let limits = PairOptions().gatewayLimits

    private static func search(
        _ cause: ObjectSearch.Cause, retry: SessionSearch.Retry = .nothing
    ) -> SessionSearch {
        let looks = ObjectSearch(cause: cause, patience: .zero, now: now)
        return SessionSearch(looks: looks, retry: retry, content: .none)
    }

    private static func step(
        _ search: inout SessionSearch, _ answer: StoreAnswer, _ target: inout SessionTarget
    ) -> SessionStep {
        search.step(after: answer, &target, limits, now: now)
    }

    @Test func looksAgainAfterEachPauseAndIsLostAtLast() throws {
        var target = try SessionEndingTests.target()
        var search = Self.search(.uploadUnknown)
        #expect(search.ask(target) == .ask(.searching(search), target.lookUp))
        for _ in 1..<Self.limits.lossChecks {
            let step = Self.step(&search, .object(nil), &target)
            #expect(step == .rest(.searching(search)))
            #expect(SessionWork.searching(search).nextDeadline != nil)
            #expect(search.resumed(target) == .ask(.searching(search), target.lookUp))
        }
        #expect(Self.step(&search, .object(nil), &target) == .lose)
    }

    @Test func foundObjectEndsTheSession() throws {
        let foreign = GatewayDriver.object(session: nil)
        var target = try SessionEndingTests.target()
        var search = Self.search(.uploadUnknown)
        #expect(Self.step(&search, .object(foreign), &target) == .exists(foreign))
        guard case .settle = Self.step(&search, .object(GatewayDriver.object()), &target) else {
            Issue.record("the session's own object does not settle it")
            return
        }
        guard case .refuse(let refusal) = Self.step(&search, .failed(.denied), &target) else {
            Issue.record("a refusal of the store does not end the session")
            return
        }
        #expect(refusal.code == .storeRefuses)
    }

    /// After a failed condition the session repeats its write if the key holds nothing.
    @Test func failedConditionIsWrittenAgain() throws {
        var target = try SessionEndingTests.target()
        let slot = TransferCore.Attachment(connection: ConnectionID(1), slot: Slot(1))
        var onePart = Self.search(.conditionFailed, retry: .onePart(owner: slot))
        #expect(Self.step(&onePart, .object(nil), &target) == .takeAgain(owner: slot))
        let completion = Completion(
            of: "upload-1", list: GatewayDriver.entries(of: 2_500), complete: GatewayDriver.complete(2_500))
        var completing = Self.search(.conditionFailed, retry: .completion(completion))
        #expect(SessionWork.searching(completing).isOfComplete)
        guard case .ask(.completing(let next), let question) = Self.step(&completing, .object(nil), &target) else {
            Issue.record("the completion is not repeated")
            return
        }
        #expect(next.step == .completing)
        #expect(question == next.question(key: "site/file", plan: target.plan, condition: .ifAbsent))
    }
}
