import RepositoryFiles
import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

@Suite struct WriteGuardTests {
    private static let session = GatewayDriver.session
    private static let other = SessionID(high: 2, low: 2)

    private static func makeGuard(
        _ condition: WriteCondition = .any, size: UInt64? = 2_500, compares: Bool = false
    ) throws -> WriteGuard {
        let plan = try #require(PartPlan(fileBytes: size, partBytes: 1_000))
        return WriteGuard(session: session, condition: condition, plan: plan, compares: compares)
    }

    private static func object(
        size: UInt64 = 2_500, etag: String = "e", evidence: ContentEvidence = .none, session: SessionID? = other
    ) -> ObjectSummary {
        ObjectSummary(size: size, partBytes: 1_000, evidence: evidence, etag: etag, version: "", session: session)
    }

    private static func look(
        _ writeGuard: inout WriteGuard, _ object: ObjectSummary?, content: ContentEvidence = .none,
        isUploadGone: Bool = false, isFirst: Bool = false
    ) -> WriteGuard.OnLook {
        writeGuard.looked(object, content: content, isUploadGone: isUploadGone, isFirst: isFirst)
    }

    private static func name(of writeGuard: WriteGuard) -> String {
        switch writeGuard.view {
        case .unknown: "unknown"
        case .absent: "absent"
        case .object: "object"
        }
    }

    @Test func theTableIsTrue() throws {
        var (absent, present) = (try Self.makeGuard(), try Self.makeGuard())
        _ = Self.look(&absent, nil)
        _ = Self.look(&present, Self.object())
        var changes: Set<TransitionTable.Row> = []
        for writeGuard in [try Self.makeGuard(), absent, present] {
            for object in [nil, Self.object(), Self.object(etag: "f")] {
                var next = writeGuard
                #expect(Self.look(&next, object) == .free)
                guard next != writeGuard else { continue }
                changes.insert(TransitionTable.Row(from: Self.name(of: writeGuard), to: Self.name(of: next)))
            }
        }
        let rows = try TransitionTable.rows(of: "Sources/TransferCore/Gateway/Session/WriteGuard.swift")
        #expect(rows.count == Set(rows).count)
        #expect(Set(rows) == changes)
    }

    @Test func theConditionDecidesWhatMayBeReplaced() throws {
        for (condition, session, result) in [
            (.any, Self.other, .free), (.absent, Self.other, .exists), (.matches(Self.other), Self.other, .free),
            (.matches(Self.other), nil, .exists),
        ] as [(WriteCondition, SessionID?, WriteGuard.OnLook)] {
            var writeGuard = try Self.makeGuard(condition)
            #expect(Self.look(&writeGuard, Self.object(session: session)) == result)
        }
    }

    @Test func ownObjectIsToldByItsSessionOrItsContent() throws {
        let digests = [1, 2].map { ContentEvidence.root(ToyDigest.sha256([$0])) }
        for (object, content, result) in [
            (Self.object(session: Self.session), .none, .own(leavesUpload: false)),
            (Self.object(evidence: digests[0], session: nil), digests[0], .own(leavesUpload: true)),
            (Self.object(evidence: digests[0], session: Self.session), digests[1], .exists),
            (Self.object(session: nil), digests[0], .exists),
            (Self.object(size: 9, session: Self.session), .none, .exists),
        ] as [(ObjectSummary, ContentEvidence, WriteGuard.OnLook)] {
            var writeGuard = try Self.makeGuard(.absent)
            #expect(Self.look(&writeGuard, object, content: content) == result)
        }
        var lost = try Self.makeGuard()
        let object = Self.object(evidence: digests[0], session: nil)
        let result = Self.look(&lost, object, content: digests[0], isUploadGone: true)
        #expect(result == .own(leavesUpload: false))
    }

    @Test func theAgentComparesOnlyAtTheFirstLookAndWithEqualSizes() throws {
        for (size, isFirst, result) in [(2_500, true, .exists), (2_500, false, .free), (9, true, .free)]
            as [(UInt64, Bool, WriteGuard.OnLook)]
        {
            var writeGuard = try Self.makeGuard(compares: true)
            #expect(Self.look(&writeGuard, Self.object(size: size), isFirst: isFirst) == result)
        }
    }

    @Test func writesAskForWhatTheLookSaw() throws {
        var writeGuard = try Self.makeGuard()
        #expect(writeGuard.putCondition == .none && writeGuard.isBlind)
        _ = Self.look(&writeGuard, Self.object())
        #expect(writeGuard.putCondition == .ifMatch(etag: "e") && !writeGuard.isBlind)
        _ = Self.look(&writeGuard, Self.object(etag: ""))
        #expect(writeGuard.putCondition == .none)
        _ = Self.look(&writeGuard, nil)
        #expect(writeGuard.putCondition == .ifAbsent)
        #expect(try Self.makeGuard(.absent).putCondition == .ifAbsent)
    }

    @Test func onlyAStoreThatChecksTheConditionIsNotLookedUpBefore() throws {
        let checks = CheckedConditions.Request(ifAbsent: true, ifMatch: false)
        let writeGuard = try Self.makeGuard(.matches(Self.other))
        #expect(!writeGuard.mustLook(before: checks, asking: .ifAbsent))
        #expect(writeGuard.mustLook(before: checks, asking: .ifMatch(etag: "e")))
        #expect(writeGuard.mustLook(before: checks, asking: .none))
        #expect(try !Self.makeGuard(.any).mustLook(before: checks, asking: .none))
    }
}
