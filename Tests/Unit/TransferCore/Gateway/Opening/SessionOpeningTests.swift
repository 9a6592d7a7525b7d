import RepositoryFiles
import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

@Suite struct SessionOpeningTests {
    private static let facts = SessionRecord(
        device: "device-1", session: GatewayDriver.session, terms: GatewayDriver.terms(), upload: "upload-1")
    private static let plan = PartPlan(fileBytes: 2_500, partBytes: 1_000)

    private static let answers: [StoreAnswer] = [
        .object(nil), .records([]), .done, .uploadCreated(upload: "upload-1"), .parts([]), .failed(.uploadUnknown),
        .failed(.unavailable(retryAfter: .zero)),
    ]

    private static func candidate(_ number: UInt64) throws -> SessionOpening.Candidate {
        try #require(SessionOpening.Candidate(AdoptionTests.record(number)))
    }

    private static func opening(after answers: StoreAnswer...) -> SessionOpening {
        var opening = SessionOpening.lookingUp
        _ = opening.proceed(isOnePart: false)
        opening.probe([])
        for answer in answers { _ = opening.answered(answer) }
        return opening
    }

    private static func probing(_ candidates: [SessionOpening.Candidate]) -> SessionOpening {
        var opening = SessionOpening.lookingUp
        opening.probe(candidates)
        return opening
    }

    private static func name(of opening: SessionOpening) -> String {
        switch opening.phase {
        case .lookingUp: "lookingUp"
        case .findingRecords: "findingRecords"
        case .probing: "probing"
        case .found: "found"
        case .recording: "recording"
        case .creating: "creating"
        case .recordingUpload: "recordingUpload"
        case .listing: "listing"
        }
    }

    /// The phases to which an answer of the store can lead, one for each decision that the session can make after the
    /// answer.
    private static func names(after opening: SessionOpening, _ answer: StoreAnswer) throws -> [String] {
        var next = opening
        switch next.answered(answer) {
        case .judge:
            return [true, false].map { isOnePart in
                var judged = next
                return judged.proceed(isOnePart: isOnePart) ? name(of: judged) : "open"
            }
        case .choose:
            var (resumed, probed, begun) = (next, next, next)
            resumed.resume(upload: "upload-1")
            probed.probe([try candidate(3)])
            begun.probe([])
            return [resumed, probed, begun].map(name)
        case .ask, .adopt, .created: return [name(of: next)]
        case .opened, .resumed: return ["open"]
        case .uploadUnknown: return ["searching"]
        case .failed: return ["failed"]
        }
    }

    @Test func theTableIsTrue() throws {
        var finding = SessionOpening.lookingUp
        #expect(finding.proceed(isOnePart: false) == true)
        let candidates = [try Self.candidate(3), try Self.candidate(4)]
        var changes: Set<TransitionTable.Row> = []
        let openings = [
            .lookingUp, finding, Self.probing(candidates), Self.probing(Array(candidates.prefix(1))), Self.opening(),
            Self.opening(after: .done), Self.opening(after: .done, .uploadCreated(upload: "upload-1")),
            .listing(upload: "upload-1"),
        ]
        for opening in openings {
            for answer in Self.answers {
                for name in try Self.names(after: opening, answer) {
                    changes.insert(TransitionTable.Row(from: Self.name(of: opening), to: name))
                }
            }
        }
        for count in 1...2 {
            var found = Self.probing(Array(candidates.prefix(count)))
            #expect(found.answered(.parts([])) == .adopt)
            found.passOver()
            changes.insert(TransitionTable.Row(from: "found", to: Self.name(of: found)))
        }
        let rows = Set(try TransitionTable.rows(of: "Sources/TransferCore/Gateway/Opening/SessionOpening.swift"))
        #expect(rows == changes)
    }

    /// The cleaner finds an unfinished upload only by its session record. So the gateway writes the record before it
    /// creates the upload, and then writes the upload's id into it.
    @Test func theRecordIsWrittenBeforeAndAfterTheUploadIsCreated() throws {
        let plan = try #require(Self.plan)
        var opening = Self.opening()
        var questions: [StoreRequest] = []
        for answer in [.done, .uploadCreated(upload: "upload-1"), .done] as [StoreAnswer] {
            questions.append(opening.question(Self.facts, plan: plan))
            _ = opening.answered(answer)
        }
        let metadata = Self.facts.objectMetadata
        #expect(
            questions == [
                .writeRecord(Self.facts), .createUpload(key: "site/file", metadata: metadata), .writeRecord(Self.facts),
            ])
    }

    @Test func candidatesAreAskedForOneAfterAnother() throws {
        let plan = try #require(Self.plan)
        let candidates = [try Self.candidate(3), try Self.candidate(4)]
        var opening = Self.probing(candidates)
        for candidate in candidates {
            #expect(
                opening.question(Self.facts, plan: plan)
                    == .listParts(key: candidate.record.key, upload: candidate.upload))
            #expect(opening.answered(.failed(.uploadUnknown)) == .ask)
        }
        #expect(opening.phase == .recording)
    }

    // MARK: Steps

    private static func step(
        _ opening: inout SessionOpening, _ answer: StoreAnswer, _ target: inout SessionTarget,
        areAllOpening: Bool = true, busy: Set<SessionID> = []
    ) -> SessionStep {
        let surroundings = SessionOpening.Surroundings(
            areAllOpening: areAllOpening, mayBeCompleting: true, busy: busy)
        return opening.step(after: answer, &target, surroundings, probesMax: 2)
    }

    @Test func newSessionCreatesItsUpload() throws {
        var target = try SessionEndingTests.target(upload: nil)
        var opening = SessionOpening.lookingUp
        #expect(opening.ask(target) == .ask(.opening(opening), target.lookUp))
        for answer in [.object(nil), .records([]), .done] as [StoreAnswer] {
            #expect(Self.step(&opening, answer, &target) == opening.ask(target))
        }
        #expect(opening.phase == .creating && target.facts.upload == nil)
        #expect(Self.step(&opening, .uploadCreated(upload: "upload-2"), &target) == opening.ask(target))
        #expect(target.facts.upload == "upload-2")
        #expect(Self.step(&opening, .done, &target) == .begin)
    }

    @Test func onePartIsOpenAfterTheLook() throws {
        var target = try SessionEndingTests.target(size: 400, upload: nil)
        var opening = SessionOpening.lookingUp
        #expect(Self.step(&opening, .object(nil), &target) == .open)
    }

    @Test func onlyIdleSessionsAreAdoptedByOpeningSlots() throws {
        let record = AdoptionTests.record(3)
        for (areAllOpening, busy, isProbed) in [
            (true, [], true), (false, [], false), (true, [record.session], false),
        ] as [(Bool, Set<SessionID>, Bool)] {
            var target = try SessionEndingTests.target(upload: nil)
            var opening = SessionOpening.lookingUp
            _ = Self.step(&opening, .object(nil), &target)
            let step = Self.step(&opening, .records([record]), &target, areAllOpening: areAllOpening, busy: busy)
            #expect(step == opening.ask(target))
            #expect((opening.phase == .recording) == !isProbed)
        }
    }

    /// If the session's own record names no upload, the upload may exist, but only the cleaner can find it. So the
    /// gateway treats the session as lost.
    @Test func theOwnRecordNamesTheUpload() throws {
        for upload in ["upload-9", nil] {
            var target = try SessionEndingTests.target(upload: nil)
            var record = target.facts
            record.upload = upload
            var opening = SessionOpening.lookingUp
            _ = Self.step(&opening, .object(nil), &target)
            let step = Self.step(&opening, .records([record]), &target)
            if let upload {
                #expect(step == .ask(.opening(.listing(upload: upload)), .listParts(key: "site/file", upload: upload)))
                #expect(Self.step(&opening, .parts([]), &target) == .resume(stored: []))
            } else if case .refuse(let refusal) = step {
                #expect(refusal.code == .sessionLost)
            } else {
                Issue.record("a record without an upload does not end the session")
            }
        }
    }
}
