import ObjectStore
import ObjectStoreConformance
import S3Servers
import S3Store
import Testing
import TransferCommon
import WireProtocol

@Suite(.timeLimit(.minutes(5))) struct ProbeTests {
    @Test func findsThatMotoChecksConditionsAndNoDigest() async throws {
        try await MotoServer.withServer { server in
            try await withStore(on: server) { store in
                #expect(!store.provider.checksContentSHA256)
                #expect(store.provider.keepsMetadata && store.provider.keepsCompositeMD5)
                #expect(store.limits.conditions.put == .init(ifAbsent: true, ifMatch: true))
                #expect(store.limits.conditions.complete == .init(ifAbsent: true, ifMatch: false))
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
                #expect(store.limits.conditions == .none)
                #expect(store.limits.checksPartDigests)
            }
        }
    }

    /// An interrupted probe leaves an object and an upload. The cleaner finds both by their folder, and removes nothing
    /// else.
    @Test func leftoverProbesAreCleaned() async throws {
        try await JuiceFSGateway.withServer(.none) { try await expectCleaned(on: $0, youngRemains: 0) }
        // moto dates every upload 2010, so the upload counts as old although it is new.
        try await MotoServer.withServer { try await expectCleaned(on: $0, youngRemains: 1) }
    }

    /// - Parameter youngRemains: how many of the two leftovers this server dates so early that the cleaner removes them
    ///   although they are new.
    private func expectCleaned(on server: S3Server, youngRemains: Int) async throws {
        try await withStore(on: server) { store in
            let configuration = try S3Configuration(
                bucket: server.bucket, prefix: "site/.sluice/probe/", endpoint: server.endpoint)
            let credentials = S3Credentials(accessKeyID: server.accessKeyID, secretAccessKey: server.secretAccessKey)
            let place = S3Store(
                configuration: configuration, credentials: FixedCredentials(credentials), logger: quietLogger)
            try await shuttingDown(place) { place in
                let other = try await store.createUpload(key: "file", metadata: sampleMetadata())
                _ = try await place.createUpload(key: "0123", metadata: sampleMetadata())
                _ = try await place.putObject(
                    key: "4567", body: body(of: [10]), metadata: sampleMetadata(), condition: .none)

                let cleaner = UploadCleaner(store: store, logger: quietLogger)
                let young = try await cleaner.clean(olderThan: .seconds(3_600)).probeCount
                #expect(young == youngRemains, "it may be just starting")
                #expect(try await cleaner.clean(olderThan: .seconds(-3_600)).probeCount == 2 - young)
                #expect(try await cleaner.clean(olderThan: .seconds(-3_600)).probeCount == 0)
                #expect(try await place.uploads(key: "0123").isEmpty)
                #expect(try await place.object(key: "4567") == nil)
                #expect(try await store.uploads(key: "file").map(\.upload) == [other])
            }
        }
    }

    /// A gateway died after it had created an upload and before its record named the upload. S3 lists uploads without
    /// their metadata. The cleaner still removes this upload, and removes no upload of another program.
    @Test func unnamedUploadIsCleaned() async throws {
        try await JuiceFSGateway.withServer(.none) { server in
            try await withStore(on: server) { store in
                let one = try #require(PartNumber(1))
                var generator = SystemRandomNumberGenerator()
                var record = SessionRecord(
                    device: "cam", session: .random(using: &generator),
                    terms: SessionTerms(
                        key: "file", size: 1 << 30, partBytes: 8 << 20,
                        modification: ModificationTime(seconds: 1, nanoseconds: 0), condition: .absent), upload: nil)
                let records = SessionRecords(store: store)
                try await records.write(record)
                let ours = try await store.createUpload(key: "file", metadata: sampleMetadata())
                let foreign = try await store.createUpload(key: "file", metadata: sampleMetadata())
                _ = try await store.uploadPart(key: "file", upload: foreign, number: one, body: body(of: [10]))
                record.session = .random(using: &generator)
                record.upload = try await store.createUpload(key: "file", metadata: sampleMetadata())
                try await records.write(record)

                let cleaner = UploadCleaner(store: store, logger: quietLogger)
                #expect(try await Cleaning(cleaner, olderThan: .seconds(3_600)).removed.isEmpty)
                let removed = try await Cleaning(cleaner, olderThan: .seconds(-3_600)).removed
                #expect(Set(removed.flatMap(\.uploads)) == Set([ours, record.upload]))
                #expect(try await store.uploads(key: "file").map(\.upload) == [foreign])
            }
        }
    }
}
