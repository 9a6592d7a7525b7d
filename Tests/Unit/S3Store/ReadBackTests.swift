import NIOCore
import ObjectStore
import ObjectStoreConformance
import S3Servers
import S3Store
import ScriptedS3
import Testing
import TransferCommon

/// Objects whose ETag is not the MD5 of the sent bytes. The client reads such an object back to find out whether its
/// bytes are right.
@Suite(.timeLimit(.minutes(5))) struct ReadBackTests {
    /// A byte changed on the way to the store, and the store has stored the object. The client removes the object,
    /// because the object's metadata names another digest than its content has. It does so only if the deletion can
    /// name exactly this object: otherwise it could delete an object that another program has written meanwhile.
    @Test(arguments: [true, false])
    func corruptedObjectIsRemovedIfTheStoreChecksTheDeletion(checksDeletion: Bool) async throws {
        var rules = S3Rules.gcs
        rules.conditionalDelete = checksDeletion ? .honoured : .ignored
        try await withStore(of: rules) { store, s3 in
            #expect(store.provider.checksDeleteCondition == checksDeletion)
            s3.inject(.flipByte(at: 3), into: .putObject)
            await expect(throwing: .digestMismatch) {
                try await store.putObject(
                    key: "key", body: try body(of: [10]), metadata: sampleMetadata(), condition: .none)
            }
            #expect((s3.object("key") == nil) == checksDeletion)
            #expect(s3.count(.deleteObject) == (checksDeletion ? 1 : 0))
        }
    }

    /// If the store encrypts with a managed key, an ETag is not an MD5. A proxy may have removed the header that shows
    /// the encryption. The bytes are right, so the write has succeeded.
    @Test func intactObjectIsAcceptedWhateverItsETag() async throws {
        var rules = S3Rules.generic
        rules.keepsMetadata = true
        try await withUnprobedStore(of: rules) { store, s3 in
            for size in [10, 100_000] {
                let body = try body(of: [size])
                _ = try await store.putObject(key: "key", body: body, metadata: sampleMetadata(), condition: .none)
                #expect(s3.object("key")?.readableBytes == size)
            }
            #expect(s3.count(.getObject) == 2 && s3.count(.deleteObject) == 0)
        }
    }

    /// The object under the key is not the written one any more, or cannot be read. The client deletes nothing.
    @Test(arguments: [S3Fault.refuse(status: 403, code: "AccessDenied"), .etag("\"another\"")])
    func objectThatCannotBeReadBackStays(fault: S3Fault) async throws {
        try await withUnprobedStore(of: .generic) { store, s3 in
            s3.inject(fault, into: .getObject, times: .max)
            await expect(throwing: .digestMismatch) {
                try await store.putObject(
                    key: "key", body: try body(of: [10]), metadata: sampleMetadata(), condition: .none)
            }
            #expect(s3.object("key") != nil && s3.count(.deleteObject) == 0)
        }
    }

    /// If a stored part has other bytes than those that were sent, the client refuses the part and deletes nothing,
    /// because a part is not an object yet. The agent then sends the part again.
    @Test func partWithOtherBytesIsRefused() async throws {
        try await withStore(of: .gcs) { store, s3 in
            let one = try #require(PartNumber(1))
            let upload = try await store.createUpload(key: "key", metadata: sampleMetadata())
            s3.inject(.flipByte(at: 3), into: .uploadPart)
            await expect(throwing: .digestMismatch) {
                try await store.uploadPart(key: "key", upload: upload, number: one, body: body(of: [10]))
            }
            _ = try await store.uploadPart(key: "key", upload: upload, number: one, body: body(of: [10]))
            #expect(s3.count(.deleteObject) == 0)
        }
    }

    /// Runs `body` with a store for which the client assumes that ETags are MD5s and that the store checks `If-Match`
    /// of a deletion.
    private func withUnprobedStore(
        of rules: S3Rules, _ body: (S3Store, ScriptedS3) async throws -> Void
    ) async throws {
        try await ScriptedS3.withServer(rules) { s3 in
            var provider = S3Provider.generic
            provider.tellsPartMD5 = true
            provider.checksDeleteCondition = true
            let configuration = try S3Configuration(
                bucket: ScriptedS3.bucket, endpoint: s3.endpoint, region: "us-east-1", addressing: .path,
                provider: provider)
            let store = S3Store(configuration: configuration, credentials: anyCredentials, logger: quietLogger)
            try await shuttingDown(store) { try await body($0, s3) }
        }
    }
}
