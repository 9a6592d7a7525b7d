import RepositoryFiles
import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

@Suite struct SessionPhaseTests {
    private static let request = StoreRequestID(1)
    private static let now = Instant(nanoseconds: 1_000_000_000)
    private static let limits = PairOptions().gatewayLimits

    private static let completion = Completion(
        of: "upload-1", list: GatewayDriver.entries(of: 2_500), complete: GatewayDriver.complete(2_500))

    private static let search = SessionSearch(
        looks: ObjectSearch(cause: .conflict, patience: .zero, now: now), retry: .nothing, content: .none)

    private static let works: [SessionWork] = [
        .opening(.lookingUp), .checking, .searching(search), .completing(completion), .aborting(.ofOnePart),
    ]

    private static func phases() throws -> [SessionPhase] {
        let target = try SessionEndingTests.target()
        let endings: [SessionEnding] = [
            .settled(target, GatewayDriver.storedObject, bytes: 2_500, leavesUpload: false),
            .taken(target, GatewayDriver.object()), .aborted(target),
        ]
        return [.new, .open] + works.map { .asking($0, request) } + works.map { .resting($0) } + endings.map(\.phase)
    }

    private static func name(of phase: SessionPhase) -> String {
        switch phase {
        case .new: "new"
        case .asking(let work, _), .resting(let work): name(of: work)
        case .open: "open"
        case .settled: "settled"
        case .taken: "taken"
        case .ended: "ended"
        }
    }

    private static func name(of work: SessionWork) -> String {
        switch work {
        case .opening: "opening"
        case .checking: "checking"
        case .searching: "searching"
        case .completing: "completing"
        case .aborting: "aborting"
        }
    }

    @Test func theTableOfTheSessionNamesItsPhases() throws {
        let names = Set(try Self.phases().map(Self.name))
        #expect(names.count == 10)
        let rows = try TransitionTable.rows(of: "Sources/TransferCore/Gateway/Session/SessionPhase.swift")
        #expect(Set(rows).count == rows.count)
        #expect(Set(rows.flatMap { [$0.from, $0.to] }) == names.union(["any"]))
    }

    @Test func onlyAskingPhasesAwaitTheirAnswer() throws {
        for phase in try Self.phases() {
            let isAsking = if case .asking = phase { true } else { false }
            #expect(phase.awaits(Self.request) == isAsking)
            #expect(!phase.awaits(StoreRequestID(2)))
        }
    }

    @Test func onlyRestingPhasesPause() throws {
        for phase in try Self.phases() { #expect(phase.pauseEnd == nil) }
        var search = Self.search
        var target = try SessionEndingTests.target()
        let step = search.step(after: .object(nil), &target, Self.limits, now: Self.now)
        guard case .rest(let work) = step else {
            Issue.record("the first look ends the search")
            return
        }
        #expect(SessionPhase.resting(work).pauseEnd == work.nextDeadline && work.nextDeadline != nil)
        #expect(SessionPhase.asking(work, Self.request).pauseEnd == nil)
    }
}
