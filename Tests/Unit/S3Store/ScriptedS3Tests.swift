import Cryptography
import NIOCore
import ObjectStore
import ObjectStoreConformance
import S3Servers
import S3Store
import ScriptedS3
import Testing
import TransferCommon
import WireProtocol

/// With the rules of each provider the scripted store passes the conformance suite, except for the known deviations of
/// that provider. This shows that the other tests run the client against a store that behaves like the real ones.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct ScriptedS3Tests {
    @Test(arguments: S3Rules.all)
    func everyKindPassesWithItsDeviations(rules: S3Rules) async throws {
        var rules = rules
        // Ceph's first answer to a completion lacks the ETag. The suite needs it, so the store returns it in this test.
        rules.completeTellsETag = true
        // The parts in the suite have the smallest allowed size, so a small minimum keeps them small.
        rules.partBytesMin = 64 << 10
        let deviations = deviations(of: rules)
        try await withStore(of: rules) { store, _ in
            let subject = StoreUnderTest(store, deviations: deviations, keyPrefix: "conformance/")
            for check in ConformanceCheck.all {
                await #expect(throws: Never.self, "\(check)") { try await check.run(on: subject) }
            }
        }
    }

    private func deviations(of rules: S3Rules) -> Set<StoreDeviation> {
        var deviations: Set<StoreDeviation> = []
        if rules.conditionalPut != .honoured { deviations.formUnion([.putIgnoresIfAbsent, .putIgnoresIfMatch]) }
        if rules.conditionalComplete != .honoured {
            deviations.formUnion([.completeIgnoresIfAbsent, .completeIgnoresIfMatch])
        }
        if !rules.keepsSHA256 { deviations.insert(.evidenceUnchecked) }
        if rules.wantsAllParts { deviations.insert(.completeNeedsAllParts) }
        if !rules.keepsMetadata { deviations.formUnion([.metadataForgotten, .partDigestForgotten]) }
        let tellsComposite = rules.keepsSHA256 || rules.keepsMetadata && rules.tellsETags && rules.etags == .md5
        if !tellsComposite { deviations.insert(.compositeEvidenceForgotten) }
        return deviations
    }

    /// A digest in the metadata is the writer's claim: only the store's own checksum was compared with the bytes.
    @Test func aDigestInTheMetadataIsNotChecked() async throws {
        try await withStore(of: .minio) { store, _ in
            let body = try body(of: [50])
            _ = try await store.putObject(key: "key", body: body, metadata: sampleMetadata(), condition: .none)
            let summary = try #require(try await store.object(key: "key"))
            #expect(summary.evidence == .wholeDigest(body.digest))
            #expect(!summary.isVerified)
        }
    }

    @Test(arguments: S3Rules.all)
    func probingFindsStoreBehaviour(rules: S3Rules) async throws {
        try await withStore(of: rules) { store, s3 in
            let seen = store.provider
            #expect(seen.checksContentSHA256 == rules.checksContentSHA256)
            #expect(seen.keepsSHA256 == rules.keepsSHA256)
            #expect(seen.keepsMetadata == rules.keepsMetadata)
            #expect(seen.tellsPartMD5 == (rules.etags != .opaque))
            #expect(seen.keepsCompositeMD5 == (rules.etags == .md5 && rules.tellsETags))
            let (put, complete) = (rules.conditionalPut == .honoured, rules.conditionalComplete == .honoured)
            #expect(store.limits.conditions.put == .init(ifAbsent: put, ifMatch: put))
            #expect(store.limits.conditions.complete == .init(ifAbsent: complete, ifMatch: complete))
            #expect(s3.keys.isEmpty && s3.uploads.isEmpty)
        }
    }

    @Test func unequalPartsAreRefused() async throws {
        var rules = S3Rules.r2
        rules.partBytesMin = 10
        try await ScriptedS3.withServer(rules) { s3 in
            let upload = s3.beginUpload(
                "key", parts: [[1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1], [1, 2, 3, 4, 5, 6, 7, 8, 9, 0], [1]])
            try await withStore(on: s3) { store in
                let listed = try await store.allParts(key: "key", upload: upload)
                let digest = try SHA256Digest.of([])
                // The client refuses parts of unequal size itself. The test claims equal sizes, so that the store has
                // to refuse the completion.
                let parts = listed.map { CompletedPart(number: $0.number, size: 10, digest: digest, etag: $0.etag) }
                await expect(throwing: .partsInvalid(parts.filter { $0.number.value != 2 }.map(\.number))) {
                    try await store.completeUpload(key: "key", upload: upload, parts: parts, size: 30, condition: .none)
                }
            }
        }
    }

    @Test func storeWithoutChecksNeedsTLS() throws {
        var silent = S3Provider.generic
        for (endpoint, isRefused) in [
            ("http://store.example:9000", true), ("https://store.example", false), ("http://127.0.0.1:9000", false),
            ("http://localhost:9000", false), ("http://[::1]:9000", false), ("http://127.example", true),
        ] {
            let parsed = try S3Endpoint(parsing: endpoint)
            #expect((silent.objection(to: parsed) != nil) == isRefused, "\(endpoint)")
        }
        let remote = try S3Endpoint(parsing: "http://store.example:9000")
        #expect(silent.objection(to: remote)?.sentence.contains("https://") == true)
        silent.tellsPartMD5 = true
        #expect(silent.objection(to: remote) == nil)
        silent.tellsPartMD5 = false
        silent.checksContentSHA256 = true
        #expect(silent.objection(to: remote) == nil)
    }

    /// The store reports success before it has all bytes. It cannot have stored bytes that the client has not sent, so
    /// the call fails.
    @Test func earlyAnswerIsNotStored() async throws {
        let early: ScriptedServer.EarlyScript = { _ in
            .afterBodyBytes(64 << 10, .answer(status: 200, headers: [("ETag", "\"e\"")]))
        }
        try await ScriptedServer.withServer(early: early, { _ in .answer(status: 200) }) { server in
            try await withScriptedStore(server) { store in
                await expect(throwing: .unavailable) {
                    try await store.putObject(
                        key: "key", body: try body(of: Array(repeating: 1 << 20, count: 32)),
                        metadata: sampleMetadata(), condition: .none)
                }
            }
        }
    }

    @Test func unknownCompletionErrorLeavesOutcomeOpen() async throws {
        try await withStore(of: .minio) { store, s3 in
            let upload = try await store.createUpload(key: "key", metadata: sampleMetadata())
            let one = try #require(PartNumber(1))
            let part = try body(of: [100])
            let etag = try await store.uploadPart(key: "key", upload: upload, number: one, body: part)
            s3.inject(.errorInside(code: "SomethingElse", spaces: 0), into: .completeUpload, times: .max)
            let parts = [CompletedPart(number: one, size: 100, digest: part.digest, etag: etag)]
            await expect(throwing: .outcomeUnknown) {
                try await store.completeUpload(key: "key", upload: upload, parts: parts, size: 100, condition: .none)
            }
        }
    }

    /// An answer with thousands of nested elements must not crash the client.
    @Test func nestedAnswerIsAFailedAttempt() async throws {
        try await withStore(of: .minio) { store, s3 in
            let depth = 40_000
            let nested = String(repeating: "<a>", count: depth) + String(repeating: "</a>", count: depth)
            let upload = try await store.createUpload(key: "key", metadata: sampleMetadata())
            s3.inject(.answer(status: 500, body: "<Error>\(nested)</Error>"), into: .listParts)
            #expect(try await store.listParts(key: "key", upload: upload, after: nil).parts.isEmpty)
            s3.inject(.answer(status: 200, body: "<Error>\(nested)</Error>"), into: .createUpload)
            await expect(throwing: .outcomeUnknown) {
                try await store.createUpload(key: "key", metadata: sampleMetadata())
            }
        }
    }

    /// A gateway may be allowed to remove uploads, but not what a probe has left. The cleaner then continues with the
    /// uploads.
    @Test func cleaningContinuesIfProbesRemain() async throws {
        try await withStore(of: .minio) { store, s3 in
            let upload = try await store.createUpload(key: "file", metadata: sampleMetadata())
            let metadata = sampleMetadata()
            try await SessionRecords(store: store).write(
                SessionRecord(
                    device: "cam", session: metadata.session,
                    terms: SessionTerms(
                        key: "file", size: 10, partBytes: 10, modification: metadata.modification, condition: .absent),
                    upload: upload))
            s3.inject(.refuse(status: 403, code: "AccessDenied"), into: .listUploads, times: .max) { _ in true }
            let cleaner = UploadCleaner(store: store, pauseBetweenAborts: .zero, logger: quietLogger)
            let report = try await cleaner.clean(olderThan: .seconds(-3_600))
            #expect(report.removedCount == 1 && s3.uploads.isEmpty)
        }
    }

    /// The client limits how often all calls together are repeated. Otherwise repetitions would keep an overloaded
    /// store from recovering.
    @Test func repetitionsRunOutWhenEverythingFails() async throws {
        try await withStore(of: .minio, { $0.retries.delayFirst = .microseconds(1) }) { store, s3 in
            s3.inject(.refuse(status: 503, code: "SlowDown"), into: .headObject, times: .max)
            let calls = 200
            for _ in 0..<calls {
                await expect(throwing: .unavailable) { try await store.object(key: "k") }
            }
            let attempts = s3.count(.headObject)
            #expect(attempts <= calls + 100, "\(attempts)")
            s3.stopFaults()
            // Every successful call allows the client a few repetitions again.
            for _ in 0..<10 { _ = try await store.object(key: "k") }
            s3.inject(.refuse(status: 503, code: "SlowDown"), into: .headObject)
            #expect(try await store.object(key: "k") == nil)
        }
    }
}
