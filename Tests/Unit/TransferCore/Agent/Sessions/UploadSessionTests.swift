import RepositoryFiles
import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

@Suite struct UploadSessionTests {
    private static let now = Instant(nanoseconds: 1_000_000_000)

    private static func session(
        size: UInt64 = 2_500, purpose: UploadRequest.Purpose = .push, policy: ExistingKeyPolicy = .verify,
        saved: SavedSession? = nil, stamp: FileStamp? = nil, isStream: Bool = false
    ) -> UploadSession {
        var request = UploadRequest(
            id: AgentDriver.upload, purpose: purpose, key: "file", stamp: stamp ?? AgentDriver.stamp(size: size),
            policy: policy, partBytesWish: nil, saved: saved, wasStoredBefore: false)
        request.isStream = isStream
        return UploadSession(request)
    }

    private static var touched: FileStamp { AgentTableTests.Event.stampTouched }

    private static var touchedSmall: FileStamp {
        var stamp = AgentDriver.stamp(size: 900)
        stamp.change = touched.change
        return stamp
    }

    private static let sessions: [UploadSession] = {
        let (saved, small) = (AgentDriver.saved(), AgentDriver.saved(size: 900, stored: 0, token: []))
        return [
            session(), session(purpose: .abort), session(purpose: .abort, saved: saved), session(saved: saved),
            session(saved: saved, stamp: touched), session(size: 900, saved: small, stamp: touchedSmall),
            session(policy: .replace, saved: saved), session(size: 9, saved: saved),
            session(saved: saved, isStream: true),
            session(purpose: .resume, saved: AgentDriver.saved(stored: 0), stamp: touched),
        ]
    }()

    private static func name(of result: UploadSession.OnBegin) -> String {
        switch result {
        case .open: "open"
        case .end: "end"
        case .drop: "drop"
        case .otherVersion: "otherVersion"
        case .leave: "leave"
        case .resume: "resume"
        case .verify: "verify"
        }
    }

    @Test func theTableIsTrue() throws {
        var changes: Set<TransitionTable.Row> = []
        for var session in Self.sessions {
            changes.insert(TransitionTable.Row(from: "submitted", to: Self.name(of: session.begin(now: Self.now))))
        }
        let rows = try TransitionTable.rows(of: "Sources/TransferCore/Agent/Sessions/UploadSession.swift")
        #expect(Set(rows) == changes)
    }

    @Test func aSavedSessionContinuesWithItsParts() {
        let saved = AgentDriver.saved()
        var session = Self.session(saved: saved)
        #expect(session.begin(now: Self.now) == .resume(stored: saved.parts))
        #expect(session.id == saved.session && session.isMultipart && session.requestToRepeat == .resume)
        #expect(session.isToBeAborted && !session.needsChoice && session.isOfEarlierRun)
    }

    @Test func aNewSessionTakesThePartSizeOfTheGateway() {
        var session = Self.session()
        #expect(session.begin(now: Self.now) == .open)
        #expect(session.needsChoice && session.openFrame == nil)
        let chosen = session.choose(by: AgentDriver.welcome(0), now: Self.now)
        #expect(chosen == .record(AgentDriver.stamp, partBytes: 1_000))
        let id = SessionID(high: 1, low: 2)
        let row = session.record(id, AgentDriver.stamp, partBytes: 1_000)
        #expect(row.session == id && row.partBytes == 1_000 && row.parts.isEmpty)
        #expect(session.openFrame?.session == id && !session.needsChoice)
        // A gateway has received the session id and has sent no token. It may have created an upload for this id, so
        // the agent chooses another id before it opens the session again.
        session.told()
        #expect(session.needsChoice)
    }

    @Test func onlyTheFirstCompletionIsMarkedAsFirst() {
        var session = Self.session()
        _ = session.record(SessionID(high: 1, low: 2), AgentDriver.stamp, partBytes: 1_000)
        session.told()
        let entries = GatewayDriver.entries(of: 2_500)
        let root = ToyDigest.sha256([1])
        let first = session.complete(entries, root: root)
        let second = session.complete(entries, root: root)
        #expect(first.isFirst && !second.isFirst)
        #expect(first.partCount == 3 && first.size == 2_500)
    }

    @Test func partsAreWantedThreeTimes() {
        var session = Self.session()
        let results = (0..<4).map { _ in session.wanted() }
        #expect(results == [true, true, true, false])
    }

    @Test func onlyEvidenceOfTheFileIsBelieved() {
        let root = ToyDigest.sha256([1])
        var begun = Self.session(saved: AgentDriver.saved())
        _ = begun.begin(now: Self.now)
        let session = begun
        let judge = { (evidence: ContentEvidence, isAnswer: Bool) in
            let completed = Completed(
                size: 2_500, evidence: evidence, partBytes: 1_000, etag: "", version: "", location: "file")
            return completed.judge(for: session, root: root, whole: nil, isAnswer: isAnswer)
        }
        #expect(judge(.root(root), true) == .stored(isCompared: true))
        #expect(judge(.none, true) == .stored(isCompared: false))
        guard case .compare(_, isOther: true) = judge(.root(ToyDigest.sha256([2])), true) else {
            Issue.record("another root digest is another object")
            return
        }
        for (evidence, isAnswer) in [(.compositeMD5("x-3"), true), (.none, false)] as [(ContentEvidence, Bool)] {
            guard case .compare(_, isOther: false) = judge(evidence, isAnswer) else {
                Issue.record("\(evidence) shows nothing")
                return
            }
        }
    }
}
