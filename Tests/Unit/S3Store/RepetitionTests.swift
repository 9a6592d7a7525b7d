import Cryptography
import FoundationEssentials
import NIOCore
import ObjectStore
import ObjectStoreConformance
import S3Servers
import S3Store
import Synchronization
import Testing
import TransferCommon
import WireProtocol

@Suite(.timeLimit(.minutes(5))) struct RepetitionTests {
    /// Answers the first requests from the list, and all further ones with success.
    private func script(_ answers: [ScriptedAnswer]) -> ScriptedServer.Script {
        let rest = Mutex(answers[...])
        return { _ in
            rest.withLock { $0.popFirst() }
                ?? .answer(
                    status: 200,
                    headers: [("ETag", "\"e\""), ("Date", "Sun, 06 Nov 1994 08:49:37 GMT")],
                    body: "<ListPartsResult/>")
        }
    }

    @Test(arguments: [
        ScriptedAnswer.answer(status: 503, body: error("SlowDown")), .answer(status: 500, body: error("InternalError")),
        .answer(status: 400, body: error("RequestTimeout")), .answer(status: 502), .hangUp,
        .bytes("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n<ListPa"), .answer(status: 429),
    ])
    func requestWithoutABodyIsRepeated(answer: ScriptedAnswer) async throws {
        try await ScriptedServer.withServer(script([answer, answer])) { server in
            try await withScriptedStore(server) { store in
                let page = try await store.listParts(key: "k", upload: "u", after: nil)
                #expect(page.parts.isEmpty)
                #expect(server.requests.count == 3)
            }
        }
    }

    @Test func repetitionEndsWithTheReason() async throws {
        let answer = ScriptedAnswer.answer(status: 503, headers: [("Retry-After", "1")], body: error("SlowDown"))
        try await ScriptedServer.withServer({ _ in answer }) { server in
            try await withScriptedStore(server) { store in
                await expect(throwing: .throttled(retryAfter: .seconds(1))) {
                    try await store.listParts(key: "k", upload: "u", after: nil)
                }
                #expect(server.requests.count == 3)
            }
        }
    }

    @Test func requestWithALongPauseIsNotRepeated() async throws {
        let answer = ScriptedAnswer.answer(status: 503, headers: [("Retry-After", "120")], body: error("SlowDown"))
        try await ScriptedServer.withServer({ _ in answer }) { server in
            try await withScriptedStore(server) { store in
                await expect(throwing: .throttled(retryAfter: .seconds(120))) {
                    try await store.listParts(key: "k", upload: "u", after: nil)
                }
                #expect(server.requests.count == 1)
            }
        }
    }

    @Test(arguments: [
        ScriptedAnswer.answer(status: 503, body: error("SlowDown")), .answer(status: 500), .hangUp,
        .answer(status: 400, body: error("RequestTimeout")),
    ])
    func partIsNotRepeated(answer: ScriptedAnswer) async throws {
        for sizes in [[10, 10], [60_000, 60_000]] {
            try await ScriptedServer.withServer(script([answer])) { server in
                try await withScriptedStore(server) { store in
                    let one = try #require(PartNumber(1))
                    let failure = await #expect(throws: StoreError.self) {
                        try await store.uploadPart(key: "k", upload: "u", number: one, body: body(of: sizes))
                    }
                    #expect(failure?.isRetryable == true, "the caller may offer it again")
                    #expect(server.requests.count == 1)
                    _ = try await store.uploadPart(key: "k", upload: "u", number: one, body: body(of: sizes))
                }
            }
        }
    }

    /// After some of these answers the client cannot know whether the store executed the request.
    @Test(arguments: [
        (ScriptedAnswer.hangUp, StoreError.Reason.outcomeUnknown), (.answer(status: 500), .outcomeUnknown),
        (.answer(status: 503, body: error("SlowDown")), .throttled(retryAfter: nil)),
        (.answer(status: 412, body: error("PreconditionFailed")), .keyTaken),
        (.answer(status: 400, body: error("XAmzContentSHA256Mismatch")), .digestMismatch),
    ])
    func aPutObjectWithoutAnAnswerIsUnknown(answer: ScriptedAnswer, reason: StoreError.Reason) async throws {
        try await ScriptedServer.withServer({ _ in answer }) { server in
            try await withScriptedStore(server) { store in
                for sizes in [[10, 10], [], [60_000, 60_000]] {
                    await expect(throwing: reason) {
                        try await store.putObject(
                            key: "k", body: body(of: sizes), metadata: sampleMetadata(), condition: .ifAbsent)
                    }
                }
            }
        }
    }

    @Test(arguments: [10, 100_000])
    func failedBodyIsNotAnUnknownOutcome(half: Int) async throws {
        try await ScriptedServer.withServer({ _ in .answer(status: 200) }) { server in
            try await withScriptedStore(server) { store in
                let source = GatedSource(first: ByteBuffer(repeating: 1, count: half))
                source.finish(with: ByteBuffer(repeating: 1, count: half / 2))
                let body = ObjectBody(byteCount: UInt64(2 * half), digest: try SHA256Digest.of([]), bytes: source)
                await expect(throwing: .sizeMismatch) {
                    try await store.putObject(key: "k", body: body, metadata: sampleMetadata(), condition: .none)
                }
                #expect(server.requests.isEmpty, "no whole request arrived")
            }
        }
    }

    @Test func earlyRefusalEndsAStalledPart() async throws {
        let early: ScriptedServer.EarlyScript = { _ in .answer(status: 403, body: error("AccessDenied")) }
        try await ScriptedServer.withServer(early: early, { _ in .silence }) { server in
            try await withScriptedStore(server) { store in
                let one = try #require(PartNumber(1))
                let source = GatedSource(first: ByteBuffer(repeating: 1, count: 100_000))
                let body = ObjectBody(byteCount: 200_000, digest: try SHA256Digest.of([]), bytes: source)
                await expect(throwing: .denied) {
                    try await store.uploadPart(key: "k", upload: "u", number: one, body: body)
                }
            }
        }
    }

    // MARK: - Learning from refusals

    @Test(arguments: [
        ScriptedAnswer.answer(
            status: 301, headers: [("x-amz-bucket-region", "eu-west-3"), ("Location", "http://127.0.0.1:1/stolen")],
            body: error("PermanentRedirect")),
        .answer(
            status: 400, body: error("AuthorizationHeaderMalformed", extra: "<Region>eu-west-3</Region>")),
        .answer(status: 307, headers: [("x-amz-bucket-region", "eu-west-3")], body: error("TemporaryRedirect")),
    ])
    func otherRegionIsFollowedOnce(answer: ScriptedAnswer) async throws {
        try await ScriptedServer.withServer(script([answer])) { server in
            try await withScriptedStore(server) { store in
                for _ in 1...2 { _ = try await store.listParts(key: "k", upload: "u", after: nil) }
                let regions = server.requests.map { request in
                    request.headers["authorization"]?.contains("/eu-west-3/s3/") ?? false
                }
                #expect(regions == [false, true, true])
            }
        }
    }

    @Test func invalidRegionIsNotFollowed() async throws {
        for region in ["evil.example.com/", "us-east-1", ""] {
            let answer = ScriptedAnswer.answer(
                status: 301, headers: [("x-amz-bucket-region", region)], body: error("PermanentRedirect"))
            try await ScriptedServer.withServer({ _ in answer }) { server in
                try await withScriptedStore(server) { store in
                    await expect(throwing: .denied) { try await store.listParts(key: "k", upload: "u", after: nil) }
                    #expect(server.requests.count == 1)
                }
            }
        }
    }

    @Test func clockSkewIsCorrectedOnce() async throws {
        let skewed = ScriptedAnswer.answer(
            status: 403, headers: [("Date", "Sun, 06 Nov 2044 08:49:37 GMT")], body: error("RequestTimeTooSkewed"))
        try await ScriptedServer.withServer(script([skewed])) { server in
            try await withScriptedStore(server) { store in
                _ = try await store.listParts(key: "k", upload: "u", after: nil)
                _ = try await store.listParts(key: "k", upload: "u", after: nil)
                let days = server.requests.map { $0.headers["x-amz-date"]?.prefix(6) ?? "" }
                #expect(days[0] != "204411" && days[1] == "204411" && days[2] == "204411")
            }
        }
        try await ScriptedServer.withServer({ _ in skewed }) { server in
            try await withScriptedStore(server) { store in
                await expect(throwing: .unavailable) { try await store.listParts(key: "k", upload: "u", after: nil) }
                #expect(server.requests.count == 2)
            }
        }
    }

    @Test func expiredCredentialsAreRenewedOnce() async throws {
        let expired = ScriptedAnswer.answer(status: 400, body: error("ExpiredToken"))
        try await ScriptedServer.withServer(script([expired])) { server in
            try await withScriptedStore(server, credentials: NumberedCredentials()) { store in
                _ = try await store.listParts(key: "k", upload: "u", after: nil)
                #expect(server.requests.map { $0.headers["x-amz-security-token"] } == ["token1", "token2"])
            }
        }
        try await ScriptedServer.withServer({ _ in expired }) { server in
            try await withScriptedStore(server) { store in
                await expect(throwing: .denied) { try await store.listParts(key: "k", upload: "u", after: nil) }
                #expect(server.requests.count == 1, "the source has no others")
            }
        }
    }

    /// The client does not repeat a part, because its bytes cannot be read twice. The refusal teaches the client to get
    /// new credentials, which it uses when its caller sends the part again.
    @Test(arguments: [10, 100_000])
    func nextPartUsesLearntSettings(size: Int) async throws {
        let expired = ScriptedAnswer.answer(status: 400, body: error("ExpiredToken"))
        try await ScriptedServer.withServer(script([expired])) { server in
            try await withScriptedStore(server, credentials: NumberedCredentials()) { store in
                let one = try #require(PartNumber(1))
                await expect(throwing: .unavailable) {
                    try await store.uploadPart(key: "k", upload: "u", number: one, body: body(of: [size]))
                }
                _ = try await store.uploadPart(key: "k", upload: "u", number: one, body: body(of: [size]))
                #expect(server.requests.map { $0.headers["x-amz-security-token"] } == ["token1", "token2"])
            }
        }
    }

    @Test func timeIsTheStoresClock() async throws {
        try await ScriptedServer.withServer(script([])) { server in
            try await withScriptedStore(server) { store in
                let time = try await store.currentTime()
                #expect(time == Date(timeIntervalSince1970: 784_111_777))
            }
        }
    }
}
