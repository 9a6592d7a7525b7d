import RepositoryFiles
import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport

/// A file whose stamp changed may still have its old content. To find out, the agent reads the stored parts from the
/// file a second time, and compares their digests.
@Suite struct FileVerificationTests {
    private static let digest = ToyDigest.sha256([1])

    private static func verification(parts: UInt32) -> FileVerification {
        let numbers = (1...parts).compactMap { PartNumber($0) }
        return FileVerification(of: numbers, stamp: AgentDriver.stamp, for: .resume)
    }

    private static func reading(_ digest: SHA256Digest, _ stamp: FileStamp = AgentDriver.stamp) -> PartReading {
        .read(digest: digest, md5: nil, stamp: stamp)
    }

    private static func read(_ verification: inout FileVerification, _ reading: PartReading) -> FileVerification.OnRead?
    {
        guard let number = verification.next(concurrency: 4) else { return nil }
        verification.began(number)
        return verification.read(number, reading, expected: digest)
    }

    private static func name(of result: FileVerification.OnRead) -> String {
        switch result {
        case .reading: "reading"
        case .same: "same"
        case .other: "other"
        case .failed: "failed"
        }
    }

    @Test func theTableIsTrue() throws {
        let readings = [
            Self.reading(Self.digest), Self.reading(ToyDigest.sha256([2])),
            Self.reading(Self.digest, AgentDriver.stamp(size: 9)), .truncated, .failed(UploadFailure(.unreadable)),
        ]
        var changes: Set<TransitionTable.Row> = []
        for parts in [1, 2] as [UInt32] {
            for reading in readings {
                var verification = Self.verification(parts: parts)
                guard let result = Self.read(&verification, reading) else { continue }
                changes.insert(TransitionTable.Row(from: "reading", to: Self.name(of: result)))
            }
        }
        let rows = try TransitionTable.rows(of: "Sources/TransferCore/Agent/Sessions/FileVerification.swift")
        #expect(rows.count == Set(rows).count)
        #expect(Set(rows) == changes)
    }

    @Test func noMorePartsAreReadAtOnceThanMayBe() throws {
        var verification = Self.verification(parts: 3)
        for _ in 0..<2 {
            let number = try #require(verification.next(concurrency: 2))
            verification.began(number)
        }
        #expect(verification.next(concurrency: 2) == nil)
        #expect(verification.beingRead.map(\.value).sorted() == [1, 2])
    }

    @Test func aPartThatWasNotAskedForIsIgnored() throws {
        var verification = Self.verification(parts: 2)
        let number = try #require(PartNumber(2))
        #expect(verification.read(number, Self.reading(Self.digest), expected: Self.digest) == nil)
    }
}
