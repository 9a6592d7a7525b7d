import Testing
import TransferCommon
import TransferCore
import WireProtocol

@Suite struct ResumeAnswerTests {
    private static let entries = GatewayDriver.entries(of: 2_500)
    private static let stored = table(of: entries)

    private static func table(of entries: [PartListEntry]) -> StoredParts {
        var stored = StoredParts(partsMax: 3)
        for entry in entries { stored.confirmed(entry) }
        return stored
    }

    private static func numbers(_ parts: PartSet) -> [UInt32] {
        var parts = parts
        return (0..<parts.count).compactMap { _ in parts.removeFirst()?.value }
    }

    private static func entry(_ index: Int, etag: String? = nil, digest: SHA256Digest?) -> PartListEntry {
        PartListEntry(
            part: entries[index].part, size: entries[index].size, digest: digest, etag: etag ?? entries[index].etag)
    }

    @Test func candidatesAreStoredPartsThatAreNotListed() {
        let answer = ResumeAnswer(stored: Self.stored, listed: [Self.entries[1]], joins: false)
        #expect(Self.numbers(answer.candidates) == [1, 3])
        #expect(answer.wanted == [])
        #expect(answer.resumeState(partBytes: 1_000, partials: [], token: [1]).candidateParts == 2)
    }

    /// A listed part counts as wanted if the store holds it with other content or another ETag. Some stores write ETags
    /// in quotes and some do not, so the gateway ignores the quotes when it compares ETags.
    @Test func listedPartsInAnotherFormAreWanted() {
        let digest = Self.entries[0].digest
        let listed = [
            Self.entry(1, etag: "other", digest: digest), Self.entry(0, etag: "\"etag-1\"", digest: nil),
        ]
        let answer = ResumeAnswer(stored: Self.stored, listed: listed, joins: false)
        #expect(answer.wanted == [Self.entries[1].part])
    }

    /// When a run joins its session in a further slot, it has already learned of all stored parts whose digests are
    /// known. The gateway therefore names only the parts without a digest, and the agent offers these with an MD5.
    @Test func aJoiningSlotLearnsOnlyOfPartsWithoutADigest() {
        let stored = Self.table(of: Self.entries.prefix(2) + [Self.entry(2, digest: nil)])
        let answer = ResumeAnswer(stored: stored, listed: [], joins: true)
        #expect(Self.numbers(answer.candidates) == [3])
        #expect(ResumeAnswer(stored: Self.stored, listed: [], joins: true).candidates.isEmpty)
    }
}
