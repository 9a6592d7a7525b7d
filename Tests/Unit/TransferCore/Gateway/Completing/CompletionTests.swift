import RepositoryFiles
import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

@Suite struct CompletionTests {
    private static let now = Instant(nanoseconds: 1_000_000_000)
    private static let attemptsMax = 4
    private static let list = GatewayDriver.entries(of: 2_500)

    private static let answers: [StoreAnswer] =
        [
            .parts(list), .parts([]), .parts(list.map { otherForm(of: $0) }), .object(nil),
            .object(GatewayDriver.object()), .objectStored(GatewayDriver.storedObject), .done,
        ]
        + [
            .uploadUnknown, .unavailable(retryAfter: .zero), .outcomeUnknown, .partsInvalid([]), .keyTaken,
            .objectGone, .conflict, .denied,
        ].map { .failed($0) }

    private static func otherForm(of entry: PartListEntry) -> PartListEntry {
        PartListEntry(part: entry.part, size: entry.size, digest: nil, etag: "other")
    }

    private static func comparing(isFirst: Bool = false) -> Completion {
        Completion(of: "upload-1", list: list, complete: GatewayDriver.complete(2_500, isFirst: isFirst))
    }

    private static func looking() -> Completion {
        var completion = comparing()
        _ = completion.prepare(mustLook: true, attemptsMax: attemptsMax)
        return completion
    }

    private static func completing(attempts: Int = 1) -> Completion {
        var completion = comparing()
        for _ in 0..<attempts { _ = completion.completes(attemptsMax: attemptsMax) }
        return completion
    }

    private static func answer(_ answer: StoreAnswer, to completion: inout Completion) -> Completion.OnAnswer {
        completion.answered(answer, attemptsMax: attemptsMax, now: now)
    }

    private static func name(of phase: Completion.Phase) -> String {
        switch phase {
        case .asking(.comparing): "comparing"
        case .asking(.looking): "looking"
        case .asking(.completing): "completing"
        case .pausing: "pausing"
        }
    }

    /// The rows of the transition table that follow from one answer of the store; if the answer leads to a pause, also
    /// the rows that follow when the pause ends.
    private static func rows(after completion: Completion, _ given: StoreAnswer) -> [TransitionTable.Row] {
        let from = name(of: completion.phase)
        var next = completion
        switch answer(given, to: &next) {
        case .prepare: return prepared(next, from: from)
        case .found:
            let isAsked = next.completes(attemptsMax: attemptsMax)
            return [TransitionTable.Row(from: from, to: isAsked ? name(of: next.phase) : "failed")]
        case .look: return [TransitionTable.Row(from: from, to: name(of: next.phase))]
        case .pause:
            let pausing = TransitionTable.Row(from: from, to: name(of: next.phase))
            next.resumed()
            guard next.step == .completing else {
                return [pausing, TransitionTable.Row(from: "pausing", to: name(of: next.phase))]
            }
            return [pausing] + prepared(next, from: "pausing")
        case .wanted: return [TransitionTable.Row(from: from, to: "wanted")]
        case .stored: return [TransitionTable.Row(from: from, to: "stored")]
        case .search: return [TransitionTable.Row(from: from, to: "searching")]
        case .failed: return [TransitionTable.Row(from: from, to: "failed")]
        }
    }

    private static func prepared(_ completion: Completion, from: String) -> [TransitionTable.Row] {
        [false, true].map { mustLook in
            var next = completion
            let isAsked = next.prepare(mustLook: mustLook, attemptsMax: attemptsMax)
            return TransitionTable.Row(from: from, to: isAsked ? name(of: next.phase) : "failed")
        }
    }

    @Test func theTableIsTrue() throws {
        let phases = [Self.comparing(), Self.looking(), Self.completing(), Self.completing(attempts: 4)]
        let changes = Set(phases.flatMap { phase in Self.answers.flatMap { Self.rows(after: phase, $0) } })
        let rows = try TransitionTable.rows(of: "Sources/TransferCore/Gateway/Completing/Completion.swift")
        #expect(rows.count == Set(rows).count)
        #expect(Set(rows) == changes)
    }

    @Test func partsInAnotherFormAreWanted() {
        var completion = Self.comparing()
        let wanted = Self.list.dropFirst().map(\.part)
        let listing = Self.list.prefix(1) + Self.list.dropFirst().map { Self.otherForm(of: $0) }
        #expect(Self.answer(.parts(Array(listing)), to: &completion) == .wanted(wanted))
    }

    /// The store reports invalid parts. It may name parts that the agent did not list; the gateway ignores those. Or it
    /// may name no part; then the gateway suspects the parts that the store's own listing lacks, and every listed part
    /// if the listing is complete.
    @Test func invalidPartsAreThoseThatWereListed() {
        let named = [2, 9, 2].compactMap { PartNumber($0) }
        for (answer, listing, wanted) in [
            (.partsInvalid(named), Self.list, [2]), (.partsInvalid([]), Array(Self.list.dropLast()), [3]),
            (.partsInvalid([]), Self.list, [1, 2, 3]),
        ] as [(StoreError, [PartListEntry], [UInt32])] {
            var completion = Self.comparing()
            #expect(Self.answer(.parts(listing), to: &completion) == .prepare)
            #expect(completion.prepare(mustLook: false, attemptsMax: Self.attemptsMax) == true)
            #expect(Self.answer(.failed(answer), to: &completion) == .wanted(wanted.compactMap { PartNumber($0) }))
        }
    }

    @Test func onlyTheFirstCompleteNeedsNoPatience() {
        var first = Self.comparing(isFirst: true)
        #expect(Self.answer(.failed(.uploadUnknown), to: &first) == .search(.uploadUnknown, isPatient: false))
        var later = Self.comparing()
        #expect(Self.answer(.failed(.uploadUnknown), to: &later) == .search(.uploadUnknown, isPatient: true))
    }

    @Test func theStoreIsAskedFourTimes() {
        var completion = Self.comparing()
        #expect(completion.prepare(mustLook: false, attemptsMax: Self.attemptsMax) == true)
        for attempt in 1..<Self.attemptsMax {
            #expect(Self.answer(.failed(.unavailable(retryAfter: .zero)), to: &completion) == .pause)
            #expect(completion.nextDeadline == Self.now + .milliseconds(250 << attempt))
            completion.resumed()
            #expect(completion.prepare(mustLook: false, attemptsMax: Self.attemptsMax) == true)
        }
        #expect(Self.answer(.failed(.unavailable(retryAfter: .zero)), to: &completion) == .failed)
    }

    // MARK: Steps

    private static func step(
        _ completion: inout Completion, _ answer: StoreAnswer, _ target: inout SessionTarget,
        _ conditions: CheckedConditions = .all, stored: StoredParts = StoredParts(partsMax: 3)
    ) -> SessionStep {
        var limits = PairOptions().gatewayLimits
        limits.completionAttempts = attemptsMax
        limits.conditions = conditions
        return completion.step(after: answer, &target, stored: stored, limits, now: now)
    }

    @Test func theUploadIsCompletedAfterTheComparison() throws {
        var target = try SessionEndingTests.target()
        var completion = Self.comparing()
        let question = StoreRequest.listParts(key: "site/file", upload: "upload-1")
        #expect(completion.ask(target) == .ask(.completing(completion), question))
        let step = Self.step(&completion, .parts(Self.list), &target)
        let request = StoreRequest.complete(
            key: "site/file", upload: "upload-1", parts: Self.list, size: 2_500, condition: .ifAbsent)
        #expect(step == .ask(.completing(completion), request))
        let end = Self.step(&completion, .objectStored(GatewayDriver.storedObject), &target)
        guard case .settle(let receipt, 2_500, leavesUpload: false) = end else {
            Issue.record("the completed object does not settle the session")
            return
        }
        #expect(receipt.evidence == completion.content && receipt.isVerified)
    }

    /// The gateway signs a receipt only if it has evidence of every listed part: the store's list names its digest, or
    /// this gateway has received the part under the same ETag.
    @Test func everyPartNeedsEvidence() throws {
        let bare = Self.list.map { PartListEntry(part: $0.part, size: $0.size, digest: nil, etag: $0.etag) }
        var received = StoredParts(partsMax: 3)
        for entry in Self.list.prefix(2) { received.confirmed(entry) }
        var whole = received
        whole.confirmed(Self.list[2])
        var replaced = received
        replaced.confirmed(
            PartListEntry(part: bare[2].part, size: bare[2].size, digest: Self.list[2].digest, etag: "other"))
        for (listing, stored, isVerified) in [
            (bare, whole, true), (bare, received, false), (bare, replaced, false),
            (bare.prefix(2) + Self.list.suffix(1), received, true), (Array(bare.prefix(2)), whole, true),
            (Array(bare.prefix(2)), received, false), ([], StoredParts(partsMax: 3), false),
        ] {
            var target = try SessionEndingTests.target()
            var completion = Self.comparing()
            _ = Self.step(&completion, .parts(listing), &target, stored: stored)
            #expect(completion.isVerified == isVerified)
        }
    }

    @Test func theKeyIsLookedUpIfTheStoreChecksNothing() throws {
        var target = try SessionEndingTests.target()
        var completion = Self.comparing()
        let foreign = GatewayDriver.object(session: nil)
        #expect(
            Self.step(&completion, .parts(Self.list), &target, .none)
                == .ask(.completing(completion), target.lookUp))
        var free = completion
        #expect(Self.step(&completion, .object(foreign), &target, .none) == .exists(foreign))
        guard case .ask(_, .complete) = Self.step(&free, .object(nil), &target, .none) else {
            Issue.record("the upload is not completed")
            return
        }
    }

    /// A completion whose condition failed is repeated after the search. A completion of an unknown upload is not.
    @Test func theSearchRepeatsOnlyWhatCanSucceed() throws {
        var target = try SessionEndingTests.target()
        for (failure, cause, isRepeated) in [
            (.keyTaken, .conditionFailed, true), (.conflict, .conflict, true), (.uploadUnknown, .uploadUnknown, false),
        ] as [(StoreError, ObjectSearch.Cause, Bool)] {
            var completion = Self.completing()
            let retry = isRepeated ? SessionSearch.Retry.completion(completion) : .nothing
            #expect(
                Self.step(&completion, .failed(failure), &target)
                    == .search(cause, isPatient: true, retry: retry, content: completion.content))
        }
    }

    @Test func theSessionEndsAfterAllAttempts() throws {
        var target = try SessionEndingTests.target()
        var completion = Self.completing(attempts: Self.attemptsMax)
        #expect(
            Self.step(&completion, .failed(.outcomeUnknown), &target) == .ask(.completing(completion), target.lookUp))
        guard case .refuse(let refusal) = Self.step(&completion, .object(nil), &target) else {
            Issue.record("the completion does not end")
            return
        }
        #expect(refusal.code == .storeUnavailable)
    }
}
