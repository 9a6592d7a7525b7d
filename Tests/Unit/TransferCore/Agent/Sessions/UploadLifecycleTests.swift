import RepositoryFiles
import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

@Suite struct UploadLifecycleTests {
    private static let now = Instant(nanoseconds: 1_000_000_000)

    private static let phases: [String: UploadPhase] = {
        let exists = SessionExists(
            size: 2_500, partBytes: 700, evidence: .root(ToyDigest.sha256([1])), etag: "", version: "", session: nil)
        let file = ObjectComparison.File(bytes: 2_500, inode: 1, policy: .verify, proof: nil, earlierSession: nil)
        let verification = FileVerification(of: [], stamp: AgentDriver.stamp, for: .resume)
        var phases: [UploadPhase] = [
            .beginning, .waiting(.open, until: now), .recording(JournalSequence(1), then: .open), .opening, .resuming,
            .verifying(verification), .transferring, .rechecking, .completing, .aborting,
            .ending(JournalSequence(1), .dropped), .ended,
        ]
        if let comparison = ObjectComparison(of: file, with: exists) { phases.append(.comparing(comparison)) }
        return Dictionary(uniqueKeysWithValues: phases.map { (name(of: $0), $0) })
    }()

    private static func name(of phase: UploadPhase) -> String {
        switch phase {
        case .beginning: "beginning"
        case .waiting: "waiting"
        case .recording: "recording"
        case .opening: "opening"
        case .resuming: "resuming"
        case .comparing: "comparing"
        case .verifying: "verifying"
        case .transferring: "transferring"
        case .rechecking: "rechecking"
        case .completing: "completing"
        case .aborting: "aborting"
        case .ending: "ending"
        case .ended: "ended"
        }
    }

    @Test func theTableNamesThePhases() throws {
        let rows = try TransitionTable.rows(of: "Sources/TransferCore/Agent/Uploads/UploadPhase.swift")
        #expect(Set(rows.map(\.from)) == Set(Self.phases.keys).union(["any"]).subtracting(["ended"]))
        #expect(Set(rows.map(\.to)) == Set(Self.phases.keys).subtracting(["beginning", "resuming", "aborting"]))
    }

    @Test func theTableNamesTheStages() throws {
        let names = Set(SessionLinks.Stage.allCases.map(\.rawValue))
        let rows = try TransitionTable.rows(of: "Sources/TransferCore/Agent/Sessions/SessionLinks.swift")
        #expect(Set(rows.map(\.from)) == names.union(["any"]))
        #expect(Set(rows.map(\.to)).isSubset(of: names.union(["removed"])))
    }

    @Test func anUploadBeginsWithoutAnOutcome() {
        let lifecycle = UploadLifecycle()
        #expect(lifecycle.phase == .beginning && !lifecycle.phase.hasOutcome && !lifecycle.isDropping)
        #expect(lifecycle.due(at: Self.now) == nil && !lifecycle.isStranded)
    }

    @Test func whatFollowsADropIsTheOutcome() {
        var lifecycle = UploadLifecycle()
        #expect(lifecycle.after.outcome == nil)
        lifecycle.drop(.end)
        #expect(lifecycle.isDropping && lifecycle.after.outcome == .dropped)
        lifecycle.drop(.fail(UploadFailure(.incomplete)))
        #expect(lifecycle.after.outcome == .failed(UploadFailure(.incomplete)))
    }
}
