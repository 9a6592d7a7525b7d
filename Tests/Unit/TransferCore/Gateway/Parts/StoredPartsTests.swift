import RepositoryFiles
import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

@Suite struct StoredPartsTests {
    private static let entries = GatewayDriver.entries(of: 2_500)

    private static func plan() throws -> PartPlan { try #require(PartPlan(fileBytes: 2_500, partBytes: 1_000)) }

    private static func bare(_ entry: PartListEntry, etag: String? = nil) -> PartListEntry {
        PartListEntry(part: entry.part, size: entry.size, digest: nil, etag: etag ?? entry.etag)
    }

    @Test func theTableIsTrue() throws {
        let (entry, plan) = (Self.entries[0], try Self.plan())
        let md5 = try #require(MD5Digest(bytes: [UInt8](repeating: 7, count: 16)))
        let offer = PartOffer(
            part: entry.part, size: entry.size, isLast: false, digest: ToyDigest.sha256([1]), md5: md5)
        let events: [(inout StoredParts) -> Void] = [
            { $0.confirmed(entry) }, { $0.listed([Self.bare(entry, etag: md5.description)], plan: plan) },
            { $0.adopted([entry], plan: plan) }, { $0.compared([entry]) }, { _ = $0.form(of: offer) },
            { $0.wanted([entry.part]) },
        ]
        func name(_ parts: StoredParts) -> String { parts.entries[entry.part] == nil ? "unknown" : "stored" }
        var changes: Set<TransitionTable.Row> = []
        var listed = StoredParts()
        listed.listed([Self.bare(entry, etag: md5.description)], plan: plan)
        for parts in [StoredParts(), listed] {
            for event in events {
                var next = parts
                event(&next)
                guard next.entries != parts.entries else { continue }
                changes.insert(TransitionTable.Row(from: name(parts), to: name(next)))
            }
        }
        let rows = Set(try TransitionTable.rows(of: "Sources/TransferCore/Gateway/Parts/StoredParts.swift"))
        #expect(rows == changes)
    }

    @Test func anOfferProvesAPartByItsDigestOrItsMD5() throws {
        let md5 = try #require(MD5Digest(bytes: [UInt8](repeating: 7, count: 16)))
        let digest = ToyDigest.sha256([1])
        let part = Self.entries[0].part
        var parts = StoredParts()
        parts.listed([Self.bare(Self.entries[0], etag: "\"\(md5)\"")], plan: try Self.plan())
        let offer = PartOffer(part: part, size: 1_000, isLast: false, digest: digest, md5: nil)
        #expect(parts.form(of: offer) == nil)
        let withMD5 = PartOffer(part: part, size: 1_000, isLast: false, digest: digest, md5: md5)
        #expect(parts.form(of: withMD5)?.digest == digest)
        #expect(parts.form(of: offer)?.digest == digest)
        #expect(parts.prove(Array(parts.entries.values)) == false)
    }

    @Test func anEntryOfThisGatewayIsBetterThanAListing() throws {
        var parts = StoredParts()
        parts.confirmed(Self.entries[0])
        parts.adopted(Self.entries.map { Self.bare($0) }, plan: try Self.plan())
        #expect(parts.entries[Self.entries[0].part] == Self.entries[0])
        #expect(parts.entries.count == 3)
    }

    @Test func evidenceEndsWithAnotherPartUnderTheNumber() throws {
        var parts = StoredParts()
        parts.confirmed(Self.entries[0])
        let list = [Self.entries[0]]
        #expect(parts.prove(list))
        parts.compared([Self.bare(Self.entries[0], etag: "\"etag-1\"")])
        #expect(parts.prove(list))
        parts.compared([Self.bare(Self.entries[0], etag: "other")])
        #expect(!parts.prove(list))
        parts.compared(list)
        #expect(parts.prove(list))
    }
}
