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

    private static func parts() -> StoredParts { StoredParts(partsMax: 3) }

    /// The transition table in the comment at the top of `StoredParts.swift` contains exactly the transitions that the
    /// machine makes.
    @Test func theTableIsTrue() throws {
        let (entry, plan) = (Self.entries[0], try Self.plan())
        let md5 = try #require(MD5Digest(bytes: [UInt8](repeating: 7, count: 16)))
        let offer = PartOffer(
            part: entry.part, size: entry.size, isLast: false, digest: ToyDigest.sha256([1]), md5: md5)
        let events: [(inout StoredParts) -> Void] = [
            { $0.confirmed(entry) }, { $0.listed([Self.bare(entry, etag: md5.description)], plan: plan) },
            { $0.adopted([entry], plan: plan) }, { _ = $0.form(of: offer) }, { $0.wanted([entry.part]) },
        ]
        func name(_ parts: StoredParts) -> String { parts.contains(entry.part) ? "stored" : "unknown" }
        var changes: Set<TransitionTable.Row> = []
        var listed = Self.parts()
        listed.listed([Self.bare(entry, etag: md5.description)], plan: plan)
        for parts in [Self.parts(), listed] {
            for event in events {
                var next = parts
                event(&next)
                guard next[entry.part] != parts[entry.part] else { continue }
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
        var parts = Self.parts()
        parts.listed([Self.bare(Self.entries[0], etag: "\"\(md5)\"")], plan: try Self.plan())
        let offer = PartOffer(part: part, size: 1_000, isLast: false, digest: digest, md5: nil)
        #expect(parts.form(of: offer) == nil)
        let withMD5 = PartOffer(part: part, size: 1_000, isLast: false, digest: digest, md5: md5)
        #expect(parts.form(of: withMD5)?.digest == digest)
        #expect(parts.form(of: offer)?.digest == digest)
        let proven = try #require(parts[part])
        #expect(!parts.hasEvidence(of: proven))
    }

    @Test func anEntryOfThisGatewayIsBetterThanAListing() throws {
        var parts = Self.parts()
        parts.confirmed(Self.entries[0])
        parts.adopted(Self.entries.map { Self.bare($0) }, plan: try Self.plan())
        #expect(parts[Self.entries[0].part] == Self.entries[0])
        #expect(parts.count == 3)
    }

    /// The store's list without a digest takes no evidence away, unless the part has another ETag.
    @Test func evidenceEndsWithAnotherPartUnderTheNumber() throws {
        var parts = Self.parts()
        parts.confirmed(Self.entries[0])
        let listed = Self.entries[0]
        #expect(parts.hasEvidence(of: listed))
        parts.listed([Self.bare(listed, etag: "\"etag-1\"")], plan: try Self.plan())
        #expect(parts.hasEvidence(of: listed) && parts[listed.part] == listed)
        parts.listed([Self.bare(listed, etag: "other")], plan: try Self.plan())
        #expect(!parts.hasEvidence(of: listed) && parts[listed.part]?.etag == "other")
        parts.listed([listed], plan: try Self.plan())
        #expect(parts.hasEvidence(of: listed))
    }

    /// Parts may be stored in any order, and again.
    @Test func partsAreFoundInEveryOrder() throws {
        let entries = GatewayDriver.entries(of: 200_000)
        for order in [entries, entries.reversed(), entries.filter { $0.part.value % 3 > 0 } + entries] {
            var parts = StoredParts(partsMax: entries.count)
            for entry in order { parts.confirmed(entry) }
            #expect(parts.count == entries.count)
            for entry in entries { #expect(parts[entry.part] == entry && parts.hasEvidence(of: entry)) }
            parts.wanted(entries.filter { $0.part.value % 2 == 0 }.map(\.part))
            #expect(parts.count == entries.count / 2)
            for entry in entries { #expect(parts.contains(entry.part) == (entry.part.value % 2 == 1)) }
            var candidates = parts.numbers(except: PartSet(), hasNoDigest: false)
            #expect(candidates.count == entries.count / 2 && candidates.removeFirst()?.value == 1)
        }
    }

    // MARK: Memory

    /// A part takes 64 bytes, whatever the ETag that common stores give it.
    @Test func partWithACommonETagTakes64Bytes() throws {
        #expect(StoredParts.recordBytes == 64)
        let digest = try #require(Self.entries[0].digest)
        let md5 = try #require(MD5Digest(bytes: [UInt8](repeating: 0xA7, count: 16)))
        let etags = ["\(md5)", "\"\(md5)\"", "\"\(digest)\"", "\"short\"", ""]
        for etag in etags {
            let entry = PartListEntry(part: Self.entries[0].part, size: 1_000, digest: digest, etag: etag)
            var parts = Self.parts()
            parts.confirmed(entry, keepsLongETag: false)
            #expect(parts[entry.part] == entry)
            #expect(parts.memoryBytes == 192 && StoredParts.longETagBytes(of: [entry]) == 0)
        }
    }

    /// An ETag that looks like a digest is kept as it is, unless it is exactly the digest or an MD5.
    @Test func everyETagIsKeptAsItIs() throws {
        let digest = try #require(Self.entries[0].digest)
        let other = ToyDigest.sha256([9, 9])
        let md5 = String(repeating: "ab", count: 16)
        let etags = [
            digest.description, "\"\(other)\"", "\"\(digest)", md5.uppercased(), "\"\(md5)", "\"\(md5)-2\"", "\"\"",
            "\"", "W/\"\(md5)\"", String(repeating: "z", count: 32), String(repeating: "e", count: 1_024),
        ]
        for etag in etags {
            for digest in [digest, nil] {
                let entry = PartListEntry(part: Self.entries[0].part, size: 1_000, digest: digest, etag: etag)
                var parts = Self.parts()
                parts.confirmed(entry)
                #expect(parts[entry.part] == entry)
                #expect(parts.memoryBytes == 192 + StoredParts.longETagBytes(of: [entry]))
            }
        }
    }

    /// If the budget has no room for a long ETag, the part counts as stored, but the gateway neither names it nor has
    /// evidence of it.
    @Test func partWithoutRoomForItsETagIsCounted() throws {
        let etag = String(repeating: "e", count: 200)
        let long = PartListEntry(part: Self.entries[0].part, size: 1_000, digest: Self.entries[0].digest, etag: etag)
        let offer = try #require(GatewayDriver.offer(1, of: 2_500))
        var parts = Self.parts()
        parts.confirmed(long)
        #expect(parts.memoryBytes == 192 + 248 && parts.form(of: offer) == long)
        parts.confirmed(long, keepsLongETag: false)
        #expect(parts.memoryBytes == 192 && parts.count == 1 && parts.contains(long.part))
        #expect(parts[long.part] == nil && parts.form(of: offer) == nil && !parts.hasEvidence(of: long))
        #expect(parts.numbers(except: PartSet(), hasNoDigest: false).isEmpty)
    }

    /// A session never has more parts in its table than it has reserved memory for.
    @Test func partsBeyondTheReservedMemoryStayUnknown() {
        let entries = GatewayDriver.entries(of: 5_000)
        var parts = Self.parts()
        for entry in entries { parts.confirmed(entry) }
        #expect(parts.count == 3 && !parts.contains(entries[3].part) && parts.memoryBytes == 192)
    }
}
