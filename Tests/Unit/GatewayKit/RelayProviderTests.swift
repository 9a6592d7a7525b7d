import AgentKit
import Cryptography
import Foundation
import NIOCore
import ObjectStore
import ScriptedS3
import TestSupport
import Testing
import TransferCommon
import TransferCore
import WireProtocol

/// Uploads to every kind of store in the scripted store's table. Each kind has its own rules: how large and how many
/// the parts may be, whether all must have the same size, which headers and conditions it refuses, and what it keeps
/// about an object besides the bytes.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct RelayProviderTests {
    private func ends(_ events: Watched<[UploadOutcome]>) -> @Sendable (UploadEvent) -> Void {
        { event in if case .finished(_, _, let outcome, _) = event { events.update { $0.append(outcome) } } }
    }

    @Test(arguments: S3Rules.all)
    func filesOfEverySizeArriveAndAreRecognised(rules: S3Rules) async throws {
        try await Relay.with(rules, partBytesMin: nil) { relay in
            let agent = try relay.makeAgent()
            for bytes in [0, 1, relay.partBytes, 2 * relay.partBytes, 2 * relay.partBytes + 17] {
                let key = "folder/of \(bytes)+ü"
                let file = try relay.site.makeFile("file-\(bytes)", bytes: bytes)
                #expect(try await agent.push(file, key: key).failures == [], "\(bytes) bytes")
                try relay.expectObject(file, key: key)
                let outcomes = Watched<[UploadOutcome]>([])
                let again = try await agent.push(file, key: key, observe: ends(outcomes))
                #expect(again.bytesSent == 0, "\(bytes) bytes")
                guard case .stored(_, wasThere: true) = outcomes.current.first else {
                    Issue.record("\(outcomes.current)")
                    continue
                }
            }
            try await relay.expectUnfinished(0)
        }
    }

    @Test(arguments: S3Rules.all)
    func theOutcomeOfALostCompleteIsFound(rules: S3Rules) async throws {
        try await Relay.with(rules) { relay in
            relay.s3.inject(.refuse(status: 500, code: "InternalError"), into: .uploadPart, part: 2)
            relay.s3.inject(.loseAnswer, into: .completeUpload)
            try await relay.pushAndExpect(parts: 4)
        }
    }

    /// A store that ignores conditions cannot refuse the write, so the gateway looks the key up first.
    @Test(arguments: S3Rules.all, [0, 3])
    func failKeepsAnExistingObject(rules: S3Rules, parts: Int) async throws {
        try await Relay.with(rules) { relay in
            relay.s3.put(Relay.key, [1, 2, 3])
            let file = try relay.site.makeFile(Relay.key, bytes: parts * relay.partBytes + 17)
            let summary = try await relay.makeAgent { $0.policy = .fail }.push(file, key: Relay.key)
            #expect(summary.failures.map(\.failure.kind) == [.keyTaken])
            #expect(relay.s3.object(Relay.key)?.readableBytes == 3)
            try await relay.expectUnfinished(0)
        }
    }

    @Test(arguments: [S3Rules.aws, .minio], [0, 3])
    func conditionKeepsAConcurrentObject(rules: S3Rules, parts: Int) async throws {
        try await Relay.with(rules) { relay in
            relay.s3.inject(.foreignObject([1, 2, 3]), into: parts == 0 ? .putObject : .completeUpload)
            let file = try relay.site.makeFile(Relay.key, bytes: parts * relay.partBytes + 17)
            let summary = try await relay.makeAgent { $0.policy = .fail }.push(file, key: Relay.key)
            #expect(summary.failures.map(\.failure.kind) == [.keyTaken])
            #expect(relay.s3.object(Relay.key)?.readableBytes == 3)
        }
    }

    @Test func storeWithAThousandPartsLimitsFiles() async throws {
        try await Relay.with(.scaleway, partBytesMin: 1_024) { relay in
            let agent = try relay.makeAgent { $0.limits.concurrency = 16 }
            let fits = try relay.site.makeFile("fits", bytes: 1_000 * relay.partBytes)
            #expect(try await agent.push(fits, key: "fits").failures == [])
            try relay.expectObject(fits, key: "fits")
            // A file that is one byte larger than a thousand parts must get larger parts, not more parts.
            let more = try relay.site.makeFile("more", bytes: 1_000 * relay.partBytes + 1)
            let summary = try await agent.push(more, key: "more")
            let kinds = summary.failures.map(\.failure.kind)
            #expect(kinds == [] || kinds == [.partSizeUnsupported])
            if kinds.isEmpty { try relay.expectObject(more, key: "more") }
            #expect(!relay.s3.calls.contains { ($0.number ?? 0) > 1_000 })
            try await relay.expectUnfinished(0)
        }
    }

    @Test func receiptMatchesStoredCompositeSHA256() async throws {
        try await Relay.with(.aws) { relay in
            let file = try relay.site.makeFile(Relay.key, bytes: 3 * relay.partBytes + 17)
            let outcomes = Watched<[UploadOutcome]>([])
            _ = try await relay.makeAgent().push(file, key: Relay.key, observe: ends(outcomes))
            guard case .stored(let receipt, _) = try #require(outcomes.current.first) else { return }
            let bytes = [UInt8](try Data(contentsOf: file))
            let digests = try stride(from: 0, to: bytes.count, by: relay.partBytes).map {
                try SHA256Digest.of(bytes[$0..<min($0 + relay.partBytes, bytes.count)])
            }
            let root = try SHA256Digest.of(digests.flatMap(\.bytes))
            let headers = relay.s3.headers(of: Relay.key)
            #expect(headers["x-amz-checksum-sha256"] == "\(Data(root.bytes).base64EncodedString())-4")
            #expect(headers["x-amz-meta-sluice-part-bytes"] == "\(relay.partBytes)")
            #expect(headers["x-amz-meta-sluice-modified"]?.hasSuffix("ns") == true)
            #expect(receipt.root == root && receipt.partBytes == UInt64(relay.partBytes))
            #expect(receipt.etag.hasSuffix("-4\""))
        }
    }

    @Test func anObjectOfOnePartBearsItsDigest() async throws {
        for rules in [S3Rules.aws, .minio] {
            try await Relay.with(rules) { relay in
                let file = try relay.site.makeFile(Relay.key, bytes: 17)
                _ = try await relay.makeAgent().push(file, key: Relay.key)
                let headers = relay.s3.headers(of: Relay.key)
                let digest = try fileDigest(file)
                #expect(headers["x-amz-meta-sluice-part-digest"] == String(describing: digest))
                #expect(headers["x-amz-meta-sluice-modified"] != nil)
                let whole = Data(digest.bytes).base64EncodedString()
                #expect(headers["x-amz-checksum-sha256"] == (rules.keepsSHA256 ? whole : nil))
            }
        }
    }

    @Test(arguments: [S3Rules.aws, .minio, .generic])
    func aSessionOnSeveralConnectionsSurvivesCuts(rules: S3Rules) async throws {
        try await Relay.with(rules) { relay in
            try await withFaultProxy(upstreamPort: relay.port) { proxy in
                let file = try relay.site.makeFile(Relay.key, bytes: 40 * relay.partBytes + 17)
                let agent = try relay.makeAgent {
                    $0.limits.connections = 2
                    $0.limits.bytesPerSecond = 2 << 20
                    $0.port = proxy.port
                }
                try await proxy.change { $0.cutEvery = .milliseconds(500) }
                #expect(try await agent.push(file, key: Relay.key).failures == [])
                try relay.expectObject(file)
                try await relay.expectUnfinished(0)
                #expect(proxy.counts.connectionsCut > 0)
            }
        }
    }
}
