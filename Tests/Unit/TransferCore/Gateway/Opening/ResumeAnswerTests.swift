import Testing
import TransferCommon
import TransferCore
import WireProtocol

@Suite struct ResumeAnswerTests {
    private static let entries = GatewayDriver.entries(of: 2_500)
    private static let stored = Dictionary(uniqueKeysWithValues: entries.map { ($0.part, $0) })

    private static func entry(_ index: Int, etag: String? = nil, digest: SHA256Digest?) -> PartListEntry {
        PartListEntry(
            part: entries[index].part, size: entries[index].size, digest: digest, etag: etag ?? entries[index].etag)
    }

    @Test func candidatesAreStoredPartsThatAreNotListed() {
        let answer = ResumeAnswer(stored: Self.stored, listed: [Self.entries[1]], joins: false)
        #expect(answer.candidates == [Self.entries[0], Self.entries[2]])
        #expect(answer.wanted == [])
        #expect(answer.pages == [PartList(entries: answer.candidates, isLast: true)])
        #expect(answer.resumeState(partBytes: 1_000, partials: [], token: [1]).candidateParts == 2)
    }

    /// Some stores write ETags in quotes and some without, so the gateway must compare ETags without their quotes. A
    /// part counts as wanted if the store holds it in another form than the agent lists.
    @Test func listedPartsInAnotherFormAreWanted() {
        let digest = Self.entries[0].digest
        let listed = [
            Self.entry(1, etag: "other", digest: digest), Self.entry(0, etag: "\"etag-1\"", digest: nil),
        ]
        let answer = ResumeAnswer(stored: Self.stored, listed: listed, joins: false)
        #expect(answer.wanted == [Self.entries[1].part])
    }

    /// The run that joins with another slot knows which parts it has stored. The gateway names only the parts that the
    /// store holds without a digest, because the agent must offer those with an MD5.
    @Test func aJoiningSlotLearnsOnlyOfPartsWithoutADigest() {
        var stored = Self.stored
        stored[Self.entries[2].part] = Self.entry(2, digest: nil)
        let answer = ResumeAnswer(stored: stored, listed: [], joins: true)
        #expect(answer.candidates.map(\.part) == [Self.entries[2].part])
        #expect(ResumeAnswer(stored: Self.stored, listed: [], joins: true).pages == [])
    }
}
