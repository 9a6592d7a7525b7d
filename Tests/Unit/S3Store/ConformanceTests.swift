import Logging
import ObjectStore
import ObjectStoreConformance
import S3Servers
import S3Store
import Testing

/// Runs the conformance suite on the available servers. The suite knows the deviations of each server, and fails if a
/// server does not have them.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ConformanceTests {
    private static let moto: Set<StoreDeviation> = [
        .uploadsIgnoreTheirKey, .unknownUploadsFail, .uploadsMisdated, .completeIgnoresIfMatch,
        .evidenceUnchecked,
    ]
    private static let juiceFS: Set<StoreDeviation> = [
        .keysCannotNest, .nestedUploadsRefusedLate, .putIgnoresIfAbsent, .putIgnoresIfMatch, .completeIgnoresIfAbsent,
        .completeIgnoresIfMatch, .uploadsIgnoreTheirKey, .evidenceUnchecked,
    ]
    private static let rclone: Set<StoreDeviation> = [
        .nestedKeysFail, .refusedCompletionEndsUpload, .partsWaitForEarlierOnes, .partsCannotBeReplaced,
        .putIgnoresIfAbsent, .putIgnoresIfMatch, .completeIgnoresIfAbsent, .completeIgnoresIfMatch,
        .compositeEvidenceForgotten, .evidenceUnchecked,
    ]
    /// The checks that rclone 1.75.2 fails although no listed deviation explains the failure. In rclone an object
    /// disappears if a key above it is written, and a list of more than 1,000 parts is not complete.
    /// `Documentation/stores.md` warns operators.
    private static let failingOnRclone: Set<String> = [
        "a key can exist beside a key below it", "more parts than a page holds are all listed, once each and in order",
    ]
    private static let forgetful: Set<StoreDeviation> = [
        .metadataForgotten, .partDigestForgotten, .compositeEvidenceForgotten,
    ]

    @Test func motoPassesWithItsDeviations() async throws {
        try await MotoServer.withServer { server in
            try await withStore(on: server) { store in
                try await expectConformance(of: store, deviations: Self.moto)
            }
        }
    }

    /// A bucket with a default retention refuses writes without a checksum. The gateway finds the form of checksum that
    /// the bucket accepts.
    @Test(arguments: MotoServer.Retention.allCases)
    func motoWithVersionsPassesWithItsDeviations(retention: MotoServer.Retention) async throws {
        try await MotoServer.withServer(retention) { server in
            try await withStore(on: server) { store in
                #expect(store.provider.putChecksum == (retention == .lock ? .sha256Named : .none))
                #expect(store.provider.deletesVersions == (retention == .versions))
                try await expectConformance(of: store, deviations: Self.moto)
            }
            // Where versions can be deleted, the gateway leaves none of its own objects behind.
            let left = try await MotoServer.versionCount(on: server, prefix: "site/.sluice/")
            #expect((left == 0) == (retention == .versions), "\(left)")
        }
    }

    /// LocalStack keeps a checksum only if the write has one. The gateway sends checksums if the operator says that the
    /// store is AWS.
    @Test func localStackPassesWithItsDeviations() async throws {
        try await LocalStackServer.withServer { server in
            for provider in [S3Provider.generic, .aws] {
                let isAWS = provider == .aws
                try await withStore(on: server, prefix: "\(provider.name)/", provider: provider) { store in
                    #expect(store.provider.keepsSHA256 == isAWS)
                    #expect(store.provider.checksContentSHA256 == isAWS, "it checks only the checksum")
                    try await expectConformance(
                        of: store, deviations: isAWS ? [.refusedPutsDamageObjects] : [.evidenceUnchecked])
                }
            }
        }
    }

    @Test func rclonePassesWithItsDeviations() async throws {
        try await RcloneServer.withServer { server in
            try await withStore(on: server) { store in
                let checks = ConformanceCheck.all.filter { !Self.failingOnRclone.contains($0.name) }
                try await expectConformance(of: store, deviations: Self.rclone, checks: checks)
                let subject = StoreUnderTest(store, deviations: Self.rclone, keyPrefix: "failing/")
                for check in ConformanceCheck.all where Self.failingOnRclone.contains(check.name) {
                    await withKnownIssue("\(check)", isIntermittent: true) { try await check.run(on: subject) }
                }
            }
        }
    }

    /// The operator's setting says that the store checks digests, but the store does not. The store then keeps a part
    /// with wrong bytes.
    @Test func motoStoresWrongBytesWithoutGatewayCheck() async throws {
        try await MotoServer.withServer { server in
            try await withStore(on: server, verification: .store) { store in
                let deviations = Self.moto.union([.digestsUnchecked])
                try await expectConformance(of: store, deviations: deviations, checks: ConformanceCheck.bodies)
            }
        }
    }

    @Test func juiceFSThatForgetsPassesWithItsDeviations() async throws {
        try await JuiceFSGateway.withServer(.none) { server in
            try await withStore(on: server) { store in
                try await expectConformance(of: store, deviations: Self.juiceFS.union(Self.forgetful))
            }
        }
    }

    @Test func juiceFSThatRemembersPassesWithItsDeviations() async throws {
        try await JuiceFSGateway.withServer(.full) { server in
            try await withStore(on: server) { store in
                try await expectConformance(of: store, deviations: Self.juiceFS)
            }
        }
    }

    /// Runs all checks, so that one run reports every failure.
    private func expectConformance(
        of store: S3Store, deviations: Set<StoreDeviation>, checks: [ConformanceCheck] = ConformanceCheck.all
    ) async throws {
        let subject = StoreUnderTest(store, deviations: deviations, keyPrefix: "conformance/")
        for check in checks {
            await #expect(throws: Never.self, "\(check)") { try await check.run(on: subject) }
        }
    }
}
