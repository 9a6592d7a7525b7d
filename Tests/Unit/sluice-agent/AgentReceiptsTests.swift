import AgentKit
import Cryptography
import Foundation
import GRDB
import Logging
import SecureChannel
import TestSupport
import Testing
import TransferCommon
import WireProtocol
import sluice_agent

/// Tests of `sluice-agent receipts`. They call the code of the command and do not start the program.
@Suite
struct AgentReceiptsTests {
    private struct Sample {
        let folder: URL
        let home: AgentHome
        let site: Identity
        let other: Identity

        var receipts: AgentReceipts { AgentReceipts(home: home, logger: Logger(label: "test")) }

        func path(_ name: String) -> String { folder.appending(path: name).path(percentEncoded: false) }

        func receipt(
            _ key: String, session: UInt64 = 1, secondsLater: Int64 = 0, by signer: Identity
        ) throws -> StoredReceipt {
            let digest = try SHA256Digest.of([1, 2, 3])
            let statement = ReceiptStatement(
                storeIdentity: digest, siteKey: signer.fingerprint.digest, device: "device", key: key,
                session: SessionID(high: 0, low: session), size: 3, partBytes: 8, evidence: .wholeDigest(digest),
                etag: "", version: "", timeMilliseconds: 1_767_225_661_000 + secondsLater * 1_000)
            let bytes = try statement.encoded()
            return StoredReceipt(
                statement: bytes, signature: try signer.signature(of: bytes), publicKey: try signer.publicKey())
        }

        func keep(_ receipts: [StoredReceipt]) throws {
            try AgentJournal.open(home, logger: Logger(label: "test")).signedReceipts.keep(receipts)
        }
    }

    /// A long key does not hide time and size. The digest stays whole, so that it can be copied.
    @Test(arguments: [(80, "2026-01-01T00:01:01Z  3 B  "), (30, "2026-01-01  3 B  "), (20, "3 B ")])
    func listFitsTheTerminal(width: Int, start: String) async throws {
        try await withSample { sample in
            let key = String(repeating: "long/", count: 40) + "0840.mp4"
            try sample.keep([try sample.receipt(key, by: sample.site)])
            var lines: [String] = []
            _ = try sample.receipts.list(key: nil, width: width) { lines.append($0) }
            #expect(lines[0].hasPrefix(start) && lines[0].count <= width, "\(lines)")
            #expect(lines.last?.hasSuffix(" \(try SHA256Digest.of([1, 2, 3]))") == true, "\(lines)")
            lines = []
            _ = try sample.receipts.list(key: nil) { lines.append($0) }
            #expect(lines.count == 1 && lines[0].contains("  3 B  \(key)  sha256 "), "\(lines)")
        }
    }

    /// The device's clock may have jumped ahead, so the ages of receipts count from the newest receipt.
    @Test func pruningRemovesOldReceipts() async throws {
        try await withSample { sample in
            try sample.keep([
                try sample.receipt("a", by: sample.site),
                try sample.receipt("b", session: 2, secondsLater: 90, by: sample.site),
            ])
            let none = try sample.receipts.prune(olderThan: .seconds(91))
            #expect(none.receipts == 0 && none.proofs == 0)
            #expect(try sample.receipts.list(key: nil) { _ in } == (2, 0))
            let one = try sample.receipts.prune(olderThan: .seconds(89))
            #expect(one.receipts == 1 && one.proofs == 0)
            #expect(try sample.receipts.list(key: nil) { _ in } == (1, 0))
        }
    }

    private func withSample(_ body: (Sample) throws -> Void) async throws {
        try await withTemporaryDirectory { folder in
            func identity(_ name: String) throws -> Identity {
                let directory = folder.appending(path: name)
                try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
                return try Identity.create(in: directory.path(percentEncoded: false), name: name)
            }
            let (site, other) = (try identity("site"), try identity("other"))
            let home = AgentHome(path: folder.appending(path: "home").path(percentEncoded: false))
            _ = try home.create(name: "device", gateway: "127.0.0.1:1", pin: site.fingerprint)
            try body(Sample(folder: folder, home: home, site: site, other: other))
        }
    }

    private func list(_ sample: Sample, _ key: String?) throws -> [String] {
        var lines: [String] = []
        let count = try sample.receipts.list(key: key) { lines.append($0) }.count
        #expect(count == lines.count)
        return lines
    }

    @Test func aNewHomeHasNone() async throws {
        try await withSample { sample in
            #expect(try list(sample, nil) == [])
            let result = try sample.receipts.verify(key: nil) { _ in }
            #expect(result.count == 0 && result.refused == 0)
            #expect(try sample.receipts.export(key: nil, to: sample.path("out")) == 0)
        }
    }

    @Test func theListHasALineForEach() async throws {
        try await withSample { sample in
            try sample.keep([
                sample.receipt("a/one", by: sample.site), sample.receipt("a/\u{1B}two", by: sample.site),
            ])
            let all = try list(sample, nil)
            #expect(all.count == 2)
            #expect(all.contains { $0.hasPrefix("2026-01-01T00:01:01Z  3 B  a/one  sha256 ") })
            #expect(all.contains { $0.contains("a/\\u{1b}two") })
            #expect(try list(sample, "a/one").count == 1)
            #expect(try list(sample, "one") == [])
        }
    }

    @Test func onlyThePinnedKeyCounts() async throws {
        try await withSample { sample in
            var changed = try sample.receipt("changed", by: sample.site)
            changed.signature[3] ^= 1
            try sample.keep([
                sample.receipt("good", by: sample.site), sample.receipt("foreign", by: sample.other), changed,
            ])
            var told: [String] = []
            let result = try sample.receipts.verify(key: nil) { told.append($0) }
            #expect(result.count == 3 && result.refused == 2)
            #expect(told.filter { $0.hasPrefix("verified  ") }.count == 1)
            #expect(told.contains { $0.hasPrefix("refused   foreign: ") && $0.contains("\(sample.other.fingerprint)") })
            #expect(told.contains { $0.hasPrefix("refused   changed: ") })
            let good = try sample.receipts.verify(key: "good") { _ in }
            #expect(good.count == 1 && good.refused == 0)
        }
    }

    @Test func unreadableReceiptsAreCounted() async throws {
        try await withSample { sample in
            try sample.keep(["good", "damaged"].map { try sample.receipt($0, by: sample.site) })
            let queue = try DatabaseQueue(path: sample.home.journalPath)
            try queue.write { database in
                try database.execute(sql: "UPDATE signed_receipts SET statement = x'0102' WHERE key = 'damaged'")
            }
            try queue.close()
            var lines: [String] = []
            let result = try sample.receipts.list(key: nil) { lines.append($0) }
            #expect(result.count == 2 && result.unreadable == 1)
            #expect(lines.count { $0.hasPrefix("unreadable: ") } == 1)
        }
    }

    private func object(_ line: String?) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data((line ?? "").utf8)) as? [String: Any])
    }

    @Test func programsReadObjects() async throws {
        try await withSample { sample in
            try sample.keep([
                sample.receipt("a/\u{1B}good", by: sample.site), sample.receipt("b/foreign", by: sample.other),
            ])
            var lines: [String] = []
            _ = try sample.receipts.list(key: nil, asJSON: true) { lines.append($0) }
            let listed = try object(lines.first)
            #expect(lines.count == 2 && listed["verified"] == nil && listed["key"] as? String == "a/\u{1B}good")
            let content = try SHA256Digest.of([1, 2, 3])
            #expect(listed["size"] as? Int == 3 && listed["sha256"] as? String == "\(content)")
            #expect(listed["signed_by"] as? String == "\(sample.site.fingerprint)")
            lines = []
            let result = try sample.receipts.verify(key: nil, asJSON: true) { lines.append($0) }
            #expect(result.refused == 1)
            let (good, foreign) = (try object(lines.first), try object(lines.last))
            #expect(good["verified"] as? Bool == true && good["reason"] == nil)
            #expect(foreign["verified"] as? Bool == false && foreign["key"] as? String == "b/foreign")
            #expect((foreign["reason"] as? String)?.contains("\(sample.other.fingerprint)") == true)
        }
    }

    @Test func anExportHoldsEveryReceipt() async throws {
        try await withSample { sample in
            let receipts = [
                try sample.receipt("a/../name with \u{e9}.mp4", by: sample.site),
                try sample.receipt("a/" + String(repeating: "x", count: 300), by: sample.site),
                try sample.receipt("b", session: 1, by: sample.site),
                try sample.receipt("b", session: 2, by: sample.site),
            ]
            try sample.keep(receipts)
            let folder = sample.path("out/receipts")
            for _ in 0..<2 {
                #expect(try sample.receipts.export(key: nil, to: folder) == 4)
                let names = try FileManager.default.contentsOfDirectory(atPath: folder)
                #expect(names.count == 4 && names.allSatisfy { $0.hasSuffix(".receipt") && $0.utf8.count <= 100 })
                let read = try names.flatMap { name in
                    try ReceiptFile.read(Array(Data(contentsOf: URL(filePath: "\(folder)/\(name)"))))
                }
                #expect(Set(read) == Set(receipts))
            }
            #expect(try sample.receipts.export(key: "b", to: sample.path("two")) == 2)
        }
    }

    @Test func failedExportIsReported() async throws {
        try await withSample { sample in
            try sample.keep([sample.receipt("a", by: sample.site)])
            try Data().write(to: URL(filePath: sample.path("file")))
            #expect(throws: AgentHomeError.self) { try sample.receipts.export(key: nil, to: sample.path("file")) }
            let missing = AgentReceipts(home: AgentHome(path: "/nowhere"), logger: Logger(label: "test"))
            #expect(throws: AgentHomeError.self) { _ = try missing.list(key: nil) { _ in } }
        }
    }
}
