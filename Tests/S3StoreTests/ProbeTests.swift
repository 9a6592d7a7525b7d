import ObjectStore
import S3Servers
import Testing

/// What opening a store finds out about real servers.
@Suite(.timeLimit(.minutes(1))) struct ProbeTests {
    @Test func findsThatMotoChecksConditionsAndNoDigest() async throws {
        try await MotoServer.withServer { server in
            try await withStore(on: server) { store in
                #expect(!store.provider.checksContentSHA256)
                #expect(store.provider.keepsMetadata && store.provider.keepsCompositeMD5)
                #expect(store.limits.honoursIfAbsent)
                #expect(store.limits.checksPartDigests, "because we do it ourselves")
                let records = try await store.recordNames(prefix: "", after: nil)
                #expect(records.names.isEmpty)
            }
            try await withStore(on: server, verification: .store) { store in
                #expect(!store.limits.checksPartDigests)
            }
        }
    }

    @Test(arguments: JuiceFSGateway.Memory.allCases)
    func findsThatJuiceFSChecksDigestsAndNoCondition(memory: JuiceFSGateway.Memory) async throws {
        try await JuiceFSGateway.withServer(memory) { server in
            try await withStore(on: server) { store in
                #expect(store.provider.checksContentSHA256)
                #expect(store.provider.keepsMetadata == (memory == .full))
                #expect(store.provider.keepsCompositeMD5 == (memory == .full))
                #expect(!store.limits.honoursIfAbsent)
                #expect(store.limits.checksPartDigests)
            }
        }
    }
}
