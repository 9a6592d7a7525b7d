import Cryptography
import NIOCore
import ObjectStore
import ObjectStoreConformance
import S3Servers
import S3Store
import TestSupport
import Testing
import TransferCommon
import WireProtocol

/// Behaviour that only real servers show: whether the client or the server refuses a request, and what the server keeps
/// of a refused request.
@Suite(.timeLimit(.minutes(5))) struct RealServerTests {
    /// JuiceFS checks the offered digest itself. It receives all bytes, and stores nothing if the digest is wrong.
    @Test func checkingStoreRefusesWrongBytes() async throws {
        try await JuiceFSGateway.withServer(.none) { server in
            try await withStore(on: server, verification: .store) { store in
                try await expectRefusal(by: store)
            }
        }
    }

    /// moto does not compare a body with its digest. The client does this instead, and does not send the last bytes if
    /// the digest is wrong.
    @Test(arguments: [PartVerification.auto, .always])
    func gatewayChecksDigestsIfTheStoreDoesNot(verification: PartVerification) async throws {
        try await MotoServer.withServer { server in
            try await withStore(on: server, verification: verification) { store in
                try await expectRefusal(by: store)
            }
        }
    }

    private func expectRefusal(by store: S3Store) async throws {
        let one = try #require(PartNumber(1))
        let upload = try await store.createUpload(key: "k", metadata: sampleMetadata())
        let wrong = try body(of: [300_000, 200_000], digest: SHA256Digest.of([1]))
        await expect(throwing: .digestMismatch) {
            try await store.uploadPart(key: "k", upload: upload, number: one, body: wrong)
        }
        #expect(try await store.allParts(key: "k", upload: upload).isEmpty)
        await expect(throwing: .digestMismatch) {
            try await store.putObject(key: "k", body: wrong, metadata: sampleMetadata(), condition: .none)
        }
        #expect(try await store.object(key: "k") == nil)
        try await store.abortUpload(key: "k", upload: upload)
    }

    @Test func aWrongAccessKeyIsDenied() async throws {
        try await JuiceFSGateway.withServer(.none) { server in
            for credentials in [
                S3Credentials(accessKeyID: server.accessKeyID, secretAccessKey: "wrong"),
                S3Credentials(accessKeyID: "nobody", secretAccessKey: server.secretAccessKey),
            ] {
                let configuration = try S3Configuration(bucket: server.bucket, endpoint: server.endpoint)
                await expect(throwing: .denied) {
                    _ = try await S3Store.open(
                        configuration: configuration, credentials: FixedCredentials(credentials), logger: quietLogger)
                }
            }
        }
    }

    @Test func missingBucketIsReported() async throws {
        try await JuiceFSGateway.withServer(.none) { server in
            try await expectMissingBucket(on: server)
        }
        try await MotoServer.withServer { server in
            try await expectMissingBucket(on: server)
        }
    }

    private func expectMissingBucket(on server: S3Server) async throws {
        let configuration = try S3Configuration(bucket: "elsewhere", endpoint: server.endpoint)
        let credentials = S3Credentials(accessKeyID: server.accessKeyID, secretAccessKey: server.secretAccessKey)
        let store = S3Store(
            configuration: configuration, credentials: FixedCredentials(credentials), logger: quietLogger)
        try await shuttingDown(store) { store in
            await expect(throwing: .bucketMissing) { try await store.probe() }
            await expect(throwing: .bucketMissing) { try await store.object(key: "k") }
            await expect(throwing: .bucketMissing) { try await store.readObject(key: "k") }
            await expect(throwing: .bucketMissing) { try await store.recordNames(prefix: "", after: nil) }
            await expect(throwing: .bucketMissing) {
                try await store.putObject(
                    key: "k", body: body(of: [10]), metadata: sampleMetadata(), condition: .none)
            }
        }
    }

    @Test func aServerThatIsDownIsUnavailable() async throws {
        let configuration = try S3Configuration(bucket: "b", endpoint: "http://127.0.0.1:\(findFreePort())")
        let store = S3Store(configuration: configuration, credentials: anyCredentials, logger: quietLogger)
        try await shuttingDown(store) { store in
            await expect(throwing: .unavailable) { try await store.object(key: "k") }
            // The client has sent no byte, so it knows that the store has not stored the object.
            await expect(throwing: .unavailable) {
                try await store.putObject(
                    key: "k", body: body(of: [10]), metadata: sampleMetadata(), condition: .none)
            }
        }
    }

    @Test func serverDeathFailsThePart() async throws {
        try await MotoServer.withServer { server in
            try await withStore(on: server) { store in
                let one = try #require(PartNumber(1))
                let upload = try await store.createUpload(key: "k", metadata: sampleMetadata())
                let source = GatedSource(first: ByteBuffer(repeating: 1, count: 100_000))
                let body = ObjectBody(
                    byteCount: 200_000, digest: try SHA256Digest.of([UInt8](repeating: 1, count: 200_000)),
                    bytes: source)
                async let outcome: Void = expect(throwing: .unavailable) {
                    try await store.uploadPart(key: "k", upload: upload, number: one, body: body)
                }
                await source.waitUntilFirstIsTaken()
                server.program.kill(9)
                try await server.program.waitForExit()
                source.finish(with: ByteBuffer(repeating: 1, count: 100_000))
                await outcome
            }
        }
    }

    /// moto continues a listing by the position of a part, not by its number. After a gap in the numbers it leaves out
    /// parts. If the parts are contiguous, as in every complete upload, its listing is right.
    @Test func motoLosesPartsBehindAGap() async throws {
        try await MotoServer.withServer { server in
            try await withStore(on: server) { store in
                let upload = try await store.createUpload(key: "k", metadata: sampleMetadata())
                let numbers = try [1, 2, 3, 5, 9, 10, 11].map { try #require(PartNumber($0)) }
                for number in numbers {
                    _ = try await store.uploadPart(key: "k", upload: upload, number: number, body: body(of: [10]))
                }
                #expect(try await store.allParts(key: "k", upload: upload).map(\.number) == numbers)
                let page = try await store.listParts(key: "k", upload: upload, after: numbers[3])
                #expect(page.parts.map(\.number.value) == [10, 11], "part 9 is missing")
                try await store.abortUpload(key: "k", upload: upload)
            }
        }
    }
}
