import ObjectStore
import ObjectStoreConformance
import S3Servers
import S3Store
import ScriptedS3
import Testing
import TransferCommon
import WireProtocol

/// How the client interprets a store's answer to a conditional request. The HTTP status decides, because stores use
/// different error codes.
@Suite(.timeLimit(.minutes(5))) struct ConditionTests {
    static let refusals: [(status: Int, code: String, ifAbsent: StoreError.Reason, ifMatch: StoreError.Reason)] = [
        (412, "PreconditionFailed", .keyTaken, .keyTaken),
        // OpenStack Swift answers in this way.
        (412, "InvalidRequest", .keyTaken, .keyTaken),
        (409, "ConditionalRequestConflict", .conflict, .conflict),
        (409, "SomethingElse", .conflict, .conflict),
        (404, "NoSuchKey", .uploadUnknown, .objectGone),
    ]

    @Test(arguments: refusals.indices)
    func statusOfRefusedPutDecides(index: Int) async throws {
        let refusal = Self.refusals[index]
        for (condition, reason) in [
            (PutCondition.ifAbsent, refusal.ifAbsent), (.ifMatch(etag: "\"e\""), refusal.ifMatch),
        ] {
            try await withStore(of: .minio) { store, s3 in
                s3.inject(.refuse(status: refusal.status, code: refusal.code), into: .putObject, times: .max)
                await expect(throwing: reason) {
                    try await store.putObject(
                        key: "key", body: try body(of: [10]), metadata: sampleMetadata(), condition: condition)
                }
            }
        }
    }

    /// A store that checks a condition only when the request begins may overwrite an object that appears meanwhile. The
    /// probe must find this out, so that the gateway does not rely on the condition.
    @Test func earlyConditionCheckIsNotTrusted() async throws {
        for isEarly in [false, true] {
            var rules = S3Rules.minio
            rules.looksAtConditionsFirst = isEarly
            try await withStore(of: rules) { store, s3 in
                #expect(store.limits.conditions.put == .init(ifAbsent: !isEarly, ifMatch: !isEarly))
                #expect(store.limits.conditions.complete == .init(ifAbsent: true, ifMatch: true))
                #expect(s3.keys.isEmpty)
            }
        }
    }

    /// The store answers the completion with a conflict. The client keeps the upload, because the conflicting request
    /// may be an earlier copy of the same completion.
    @Test(arguments: refusals.indices)
    func refusedCompletionKeepsTheUpload(index: Int) async throws {
        let refusal = Self.refusals[index]
        for (condition, reason) in [
            (PutCondition.ifAbsent, refusal.ifAbsent), (.ifMatch(etag: "\"e\""), refusal.ifMatch),
        ] {
            try await withStore(of: .minio) { store, s3 in
                let upload = try await store.createUpload(key: "key", metadata: sampleMetadata())
                let one = try #require(PartNumber(1))
                let part = try body(of: [100])
                let etag = try await store.uploadPart(key: "key", upload: upload, number: one, body: part)
                s3.inject(.refuse(status: refusal.status, code: refusal.code), into: .completeUpload, times: .max)
                let parts = [CompletedPart(number: one, size: 100, digest: part.digest, etag: etag)]
                await expect(throwing: reason) {
                    try await store.completeUpload(
                        key: "key", upload: upload, parts: parts, size: 100, condition: condition)
                }
                #expect(s3.uploads.map(\.id) == [upload])
            }
        }
    }
}
