import Logging
import ObjectStore
import ObjectStoreConformance
import S3Servers
import S3Store
import Testing

/// Runs the conformance suite on the available servers. Known deviations of a server are listed, and the checks
/// assert that they are real.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ConformanceTests {
    private static let moto: Set<StoreDeviation> = [
        .uploadsIgnoreTheirKey, .unknownUploadsFail, .uploadsMisdated, .completeIgnoresIfMatch,
        .evidenceUnchecked,
    ]
    private static let juiceFS: Set<StoreDeviation> = [
        .keysCannotNest, .nestedUploadsRefusedLate, .putIgnoresIfAbsent, .putIgnoresIfMatch, .completeIgnoresIfAbsent,
        .completeIgnoresIfMatch, .uploadsIgnoreTheirKey, .evidenceUnchecked,
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

    /// The operator's setting says that the store checks digests, but the store does not. It then keeps a part with
    /// wrong bytes.
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
