import RepositoryFiles
import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// For which reasons the agent compares a file with an object in the store, and what it concludes from each result.
@Suite struct ObjectComparisonTests {
    private static let evidence = ContentEvidence.root(ToyDigest.sha256([1]))
    private static let session = SessionID(high: 7, low: 7)

    private static func exists(size: UInt64, session: SessionID? = session) -> SessionExists {
        SessionExists(size: size, partBytes: 700, evidence: evidence, etag: "", version: "", session: session)
    }

    private static func file(policy: ExistingKeyPolicy = .verify, inode: UInt64 = 1) -> ObjectComparison.File {
        ObjectComparison.File(
            bytes: 2_500, inode: inode, policy: policy, proof: nil,
            earlierSession: ObjectComparison.EarlierSession(session: session, inode: 1))
    }

    @Test func theTableIsTrue() throws {
        var changes: Set<TransitionTable.Row> = []
        for size in [1_000, 2_500] as [UInt64] {
            let comparison = try #require(ObjectComparison(of: Self.file(), with: Self.exists(size: size)))
            for evidence in [Self.evidence, .none] {
                changes.insert(TransitionTable.Row(from: "comparing", to: "\(comparison.judge(evidence))"))
            }
        }
        let rows = try TransitionTable.rows(of: "Sources/TransferCore/Agent/Sessions/ObjectComparison.swift")
        #expect(rows.count == Set(rows).count)
        #expect(Set(rows) == changes)
    }

    @Test func aLargerObjectIsNotWorthReading() {
        #expect(ObjectComparison(of: Self.file(), with: Self.exists(size: 2_501)) == nil)
    }

    @Test func aSmallerObjectIsWorthReadingOnlyIfItIsOwn() {
        #expect(ObjectComparison(of: Self.file(), with: Self.exists(size: 1_000))?.question == .isBeginning)
        #expect(ObjectComparison(of: Self.file(), with: Self.exists(size: 1_000, session: nil)) == nil)
        #expect(ObjectComparison(of: Self.file(inode: 2), with: Self.exists(size: 1_000)) == nil)
        #expect(ObjectComparison(of: Self.file(policy: .replace), with: Self.exists(size: 1_000)) == nil)
    }
}
