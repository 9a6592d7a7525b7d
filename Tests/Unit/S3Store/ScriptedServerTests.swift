import Cryptography
import FoundationEssentials
import Logging
import NIOCore
import ObjectStore
import ObjectStoreConformance
import S3Servers
import S3Store
import Synchronization
import Testing
import TransferCommon
import WireProtocol

/// Answers that no real server gives on request, and how the client interprets them.
@Suite(.timeLimit(.minutes(5))) struct ScriptedServerTests {
    private static let completed =
        "<CompleteMultipartUploadResult><ETag>&quot;e-1&quot;</ETag></CompleteMultipartUploadResult>"

    // MARK: - Completing

    /// Unusual answers to CompleteMultipartUpload, each with the expected error; `nil` for success.
    @Test(arguments: [
        ("as it should be", ScriptedAnswer.answer(status: 200, body: completed), StoreError.Reason?.none),
        ("whitespace before it", .answer(status: 200, body: "  \n\r\n \t<?xml version=\"1.0\"?>\n\(completed)"), nil),
        ("a namespace", .answer(status: 200, body: "<s:CompleteMultipartUploadResult xmlns:s=\"x\"/>"), nil),
        (
            "no ETag, as Ceph's first",
            .answer(
                status: 200, body: "<CompleteMultipartUploadResult><ETag></ETag></CompleteMultipartUploadResult>"), nil
        ),
        ("nothing", .answer(status: 200), .outcomeUnknown),
        ("whitespace only", .answer(status: 200, body: "   \n  "), .outcomeUnknown),
        ("half a document", .answer(status: 200, body: String(completed.prefix(60))), .outcomeUnknown),
        ("a cut in the body", .bytes("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n  \(completed)"), .outcomeUnknown),
        ("a cut in chunks", .bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n \r\n"), .outcomeUnknown),
        ("a cut before the head", .hangUp, .outcomeUnknown),
        ("not XML", .answer(status: 200, body: "OK"), .outcomeUnknown),
        ("another document", .answer(status: 200, body: "<ListPartsResult/>"), .outcomeUnknown),
        ("an error inside", .answer(status: 200, body: " \n" + error("InternalError")), .outcomeUnknown),
        ("an error that did nothing inside", .answer(status: 200, body: "\n" + error("NoSuchUpload")), .uploadUnknown),
        ("slow down inside", .answer(status: 200, body: error("SlowDown")), .throttled(retryAfter: nil)),
        ("500", .answer(status: 500, body: error("InternalError")), .outcomeUnknown),
        ("502 of a proxy", .answer(status: 502, body: "<html>Bad Gateway</html>"), .outcomeUnknown),
        ("503 of a proxy", .answer(status: 503, body: "busy"), .outcomeUnknown),
        ("503 of S3", .answer(status: 503, body: error("SlowDown")), .throttled(retryAfter: nil)),
        ("gone", .answer(status: 404, body: error("NoSuchUpload")), .uploadUnknown),
        (
            "another program is using it",
            .answer(
                status: 500, body: error("InternalError", "This multipart completion is already in progress")),
            .completionInProgress
        ),
        ("the key is taken", .answer(status: 412, body: error("PreconditionFailed")), .keyTaken),
        ("a conflict", .answer(status: 409, body: error("ConditionalRequestConflict")), .conflict),
        ("parts too small", .answer(status: 400, body: error("EntityTooSmall")), .unsupported),
        ("forbidden", .answer(status: 403, body: error("AccessDenied")), .denied),
    ])
    func completionIsJudgedByItsAnswer(
        name: String, answer: ScriptedAnswer, reason: StoreError.Reason?
    ) async throws {
        try await ScriptedServer.withServer({ _ in answer }) { server in
            try await withScriptedStore(server) { store in
                let call = { try await complete(on: store) }
                if let reason {
                    await expect(throwing: reason, call)
                } else {
                    _ = try await call()
                }
            }
        }
    }

    /// The client repeats a completion if the refusal shows that the completion had no effect. It does not repeat a
    /// completion that may have had an effect.
    @Test(arguments: [("SlowDown", 503, 3), ("InternalError", 500, 1), ("NoSuchUpload", 404, 1)])
    func completionIsRepeatedOnlyIfItHadNoEffect(code: String, status: Int, count: Int) async throws {
        try await ScriptedServer.withServer({ _ in .answer(status: status, body: error(code)) }) { server in
            try await withScriptedStore(server) { store in
                _ = try? await complete(on: store)  // Another test checks its error.
                #expect(server.requests.count == count)
            }
        }
    }

    @Test func invalidPartsAreFoundByListing() async throws {
        let script: ScriptedServer.Script = { request in
            request.method == "POST"
                ? .answer(status: 400, body: error("InvalidPart"))
                : .answer(status: 200, body: "<ListPartsResult>\(part(1))\(part(2, etag: "other"))</ListPartsResult>")
        }
        try await ScriptedServer.withServer(script) { server in
            try await withScriptedStore(server) { store in
                let numbers = try (1...3).map { try #require(PartNumber($0)) }
                let digest = try SHA256Digest.of([])
                let parts = numbers.map { CompletedPart(number: $0, size: 10, digest: digest, etag: "\"e\($0)\"") }
                await expect(throwing: .partsInvalid([numbers[1], numbers[2]])) {
                    try await store.completeUpload(key: "k", upload: "u", parts: parts, size: 30, condition: .none)
                }
            }
        }
    }

    private func complete(on store: S3Store) async throws -> StoredObject {
        let part = CompletedPart(
            number: try #require(PartNumber(1)), size: 10, digest: try SHA256Digest.of([]), etag: "\"a<b\"")
        return try await store.completeUpload(key: "k", upload: "u", parts: [part], size: 10, condition: .none)
    }

    // MARK: - Lists

    /// Pages on which a careless client would loop endlessly.
    @Test(arguments: [
        "<ListPartsResult><IsTruncated>true</IsTruncated></ListPartsResult>",
        "<ListPartsResult><IsTruncated>true</IsTruncated><NextPartNumberMarker>1</NextPartNumberMarker>\(part(1))"
            + "</ListPartsResult>",
        "<ListPartsResult><IsTruncated>true</IsTruncated><NextPartNumberMarker>x</NextPartNumberMarker>"
            + "</ListPartsResult>",
        "<ListPartsResult><Part><PartNumber>0</PartNumber></Part></ListPartsResult>",
        "<ListPartsResult><Part/></ListPartsResult>", "", "<html/>",
    ])
    func invalidPartListIsAnError(page: String) async throws {
        try await ScriptedServer.withServer({ _ in .answer(status: 200, body: page) }) { server in
            try await withScriptedStore(server) { store in
                await expect(throwing: .damaged) { try await store.allParts(key: "k", upload: "u") }
            }
        }
    }

    @Test func repeatedOrMissingMarkerDoesNoHarm() async throws {
        let script: ScriptedServer.Script = { request in
            let isFirst = !request.target.contains("part-number-marker")
            // The second page repeats the last part of the first page, as rclone's server does. The first page does not
            // say where the next one begins, and the last page does not say that it is the last.
            let parts = isFirst ? part(1) + part(2) : part(2) + part(3)
            let end = isFirst ? "<IsTruncated>true</IsTruncated>" : ""
            return .answer(status: 200, body: "<ListPartsResult>\(end)\(parts)</ListPartsResult>")
        }
        try await ScriptedServer.withServer(script) { server in
            try await withScriptedStore(server) { store in
                let parts = try await store.allParts(key: "k", upload: "u")
                #expect(parts.map(\.number.value) == [1, 2, 3])
            }
        }
    }

    @Test func uploadsAreFoundByExactKey() async throws {
        let script: ScriptedServer.Script = { request in
            let isFirst = !request.target.contains("key-marker")
            let end =
                isFirst
                ? "<IsTruncated>true</IsTruncated><NextKeyMarker>a%20b</NextKeyMarker>"
                    + "<NextUploadIdMarker>u1</NextUploadIdMarker>"
                : "<IsTruncated>false</IsTruncated>"
            let uploads = isFirst ? upload("a+b", "u1", minute: 2) : upload("a%20b", "u0") + upload("a%20bc", "u2")
            return .answer(
                status: 200,
                body: "<ListMultipartUploadsResult><EncodingType>url</EncodingType>\(end)\(uploads)"
                    + "</ListMultipartUploadsResult>")
        }
        try await ScriptedServer.withServer(script) { server in
            try await withScriptedStore(server) { store in
                let uploads = try await store.uploads(key: "a b")
                #expect(uploads.map(\.upload) == ["u0", "u1"], "the oldest first")
            }
        }
    }

    @Test func endlessUploadListIsAnError() async throws {
        let page = "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated></ListMultipartUploadsResult>"
        try await ScriptedServer.withServer({ _ in .answer(status: 200, body: page) }) { server in
            try await withScriptedStore(server) { store in
                await expect(throwing: .damaged) { try await store.uploads(key: "k") }
            }
        }
    }

    // MARK: - Evidence

    @Test(arguments: evidenceCases)
    func onlyTrustedEvidenceIsUsed(example: EvidenceCase) async throws {
        let headers =
            example.headers + [
                ("Content-Length", "10")
            ]
        try await ScriptedServer.withServer({ _ in .answer(status: 200, headers: headers) }) { server in
            try await withScriptedStore(server, provider: example.provider) { store in
                let summary = try #require(try await store.object(key: "k"))
                #expect(summary.evidence == example.evidence)
                #expect(summary.partBytes == example.partBytes && summary.isVerified == example.isVerified)
            }
        }
    }

    @Test func checksumsAreSentOnlyToStoresThatKeepThem() async throws {
        let script: ScriptedServer.Script = { request in
            let body =
                request.method == "POST" && request.target.contains("uploads")
                ? "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
                : Self.completed
            return .answer(status: 200, headers: [("ETag", "\"e\"")], body: body)
        }
        for provider in [S3Provider.aws, .generic] {
            try await ScriptedServer.withServer(script) { server in
                try await withScriptedStore(server, provider: provider) { store in
                    let upload = try await store.createUpload(key: "k", metadata: sampleMetadata())
                    let one = try #require(PartNumber(1))
                    _ = try await store.uploadPart(key: "k", upload: upload, number: one, body: body(of: [10]))
                    _ = try await complete(on: store)
                    let hasChecksums = server.requests.contains { request in
                        request.headers.keys.contains { $0.contains("checksum") }
                    }
                    let isInList = String(decoding: server.requests[2].body, as: UTF8.self).contains("ChecksumSHA256")
                    #expect(hasChecksums == provider.keepsSHA256)
                    #expect(isInList == provider.keepsSHA256)
                    #expect(server.requests[2].headers["x-amz-mp-object-size"] == (provider == .aws ? "10" : nil))
                }
            }
        }
    }
}

/// An object's headers, and the evidence that the client derives from them.
struct EvidenceCase: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var provider: S3Provider
    var headers: [(name: String, value: String)]
    var evidence: ContentEvidence
    var partBytes: UInt64 = 0
    var isVerified = false
}

private let ours: [(name: String, value: String)] = [
    ("x-amz-meta-sluice-session", "000102030405060708090a0b0c0d0e0f"), ("x-amz-meta-sluice-part-bytes", "8"),
    ("x-amz-meta-sluice-modified", "-1s5ns"),
]
private let emptySHA256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
private let emptyHexadecimal = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
private let compositeETag = "\"d41d8cd98f00b204e9800998ecf8427e-2\""

private let evidenceCases: [EvidenceCase] = {
    // The constant is a valid digest, so this guard never fails.
    guard let digest = SHA256Digest(emptyHexadecimal) else { return [] }
    return [
        EvidenceCase(
            testDescription: "composite SHA-256", provider: .aws,
            headers: ours + [("x-amz-checksum-sha256", "\(emptySHA256)-2"), ("ETag", compositeETag)],
            evidence: .root(digest), partBytes: 8, isVerified: true),
        EvidenceCase(
            testDescription: "composite SHA-256 of another number of parts", provider: .aws,
            headers: ours + [("x-amz-checksum-sha256", "\(emptySHA256)-3")], evidence: .root(digest), partBytes: 8),
        EvidenceCase(
            testDescription: "composite SHA-256 without the part size", provider: .aws,
            headers: [("x-amz-checksum-sha256", "\(emptySHA256)-2")], evidence: .none),
        EvidenceCase(
            testDescription: "SHA-256 of the whole", provider: .aws,
            headers: [("x-amz-checksum-sha256", emptySHA256)], evidence: .wholeDigest(digest), isVerified: true),
        EvidenceCase(
            testDescription: "SHA-256 of a store that does not check it", provider: .generic,
            headers: ours + [("x-amz-checksum-sha256", "\(emptySHA256)-2")], evidence: .none),
        EvidenceCase(
            testDescription: "our part digest", provider: .generic,
            headers: ours + [("x-amz-meta-sluice-part-digest", emptyHexadecimal), ("ETag", compositeETag)],
            evidence: .wholeDigest(digest)),
        EvidenceCase(
            testDescription: "composite MD5", provider: .minio, headers: ours + [("ETag", compositeETag)],
            evidence: .compositeMD5(String(compositeETag.dropFirst().dropLast())), partBytes: 8),
        EvidenceCase(
            testDescription: "composite MD5 without the part size", provider: .minio,
            headers: [("ETag", compositeETag)], evidence: .none),
        EvidenceCase(
            testDescription: "the same form under a key", provider: .minio,
            headers: ours + [("ETag", compositeETag), ("x-amz-server-side-encryption", "aws:kms")], evidence: .none),
        EvidenceCase(
            testDescription: "a plain MD5", provider: .minio,
            headers: ours + [("ETag", "\"d41d8cd98f00b204e9800998ecf8427e\"")], evidence: .none),
        EvidenceCase(
            testDescription: "an ETag of another kind", provider: .minio, headers: ours + [("ETag", "\"x-2\"")],
            evidence: .none),
        EvidenceCase(testDescription: "nothing", provider: .aws, headers: [], evidence: .none),
    ]
}()

/// The body of a refusal.
func error(_ code: String, _ message: String = "m", extra: String = "") -> String {
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        + "<Error><Code>\(code)</Code><Message>\(message)</Message>\(extra)</Error>"
}

private func part(_ number: Int, etag: String? = nil) -> String {
    "<Part><PartNumber>\(number)</PartNumber><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
        + "<ETag>&quot;\(etag ?? "e\(number)")&quot;</ETag><Size>10</Size></Part>"
}

private func upload(_ key: String, _ id: String, minute: Int = 0) -> String {
    "<Upload><Key>\(key)</Key><UploadId>\(id)</UploadId>"
        + "<Initiated>2026-01-01T00:0\(minute):00.000Z</Initiated></Upload>"
}

/// A store without a probe and with short time limits.
func withScriptedStore<Success>(
    _ server: ScriptedServer, provider: S3Provider = .generic, bucket: String = "b", region: String? = nil,
    credentials: any S3CredentialSource = anyCredentials, timeouts: S3Timeouts = S3Timeouts(),
    logger: Logger = quietLogger, _ body: (S3Store) async throws -> Success
) async throws -> Success {
    var configuration = try S3Configuration(
        bucket: bucket, endpoint: server.endpoint, region: region, addressing: .path, provider: provider)
    configuration.timeouts = timeouts
    configuration.retries.attemptsMax = 3
    configuration.retries.delayFirst = .milliseconds(1)
    let store = S3Store(configuration: configuration, credentials: credentials, logger: logger)
    return try await shuttingDown(store, body)
}
