import Cryptography
import NIOCore
import NIOPosix
import ObjectStore
import ObjectStoreConformance
import S3Servers
import S3Store
import Synchronization
import Testing
import TransferCommon
import WireProtocol

@Suite(.timeLimit(.minutes(5))) struct ErrorDetailTests {
    private func detail(
        _ answer: ScriptedAnswer, credentials: any S3CredentialSource = anyCredentials,
        _ call: @escaping @Sendable (S3Store) async throws -> Void
    ) async throws -> String {
        try await failure(answer, credentials: credentials, call).detail ?? ""
    }

    private func failure(
        _ answer: ScriptedAnswer, credentials: any S3CredentialSource = anyCredentials,
        _ call: @escaping @Sendable (S3Store) async throws -> Void
    ) async throws -> StoreError {
        try await ScriptedServer.withServer({ _ in answer }) { server in
            try await withScriptedStore(server, credentials: credentials) { store in
                let failure = await #expect(throws: StoreError.self) { try await call(store) }
                return try #require(failure)
            }
        }
    }

    private static func list(_ store: S3Store) async throws {
        _ = try await store.listParts(key: "k", upload: "u", after: nil)
    }

    // MARK: Answers of the store

    @Test func refusalIsQuoted() async throws {
        let message = "Part number must be an integer between 1 and 1000, inclusive"
        let answer = ScriptedAnswer.answer(
            status: 400, headers: [("x-amz-request-id", "tx4442587FB7D0A2F9")],
            body: error("InvalidArgument", message))
        for sizes in [[10, 10], [60_000, 60_000]] {
            let failure = try await failure(answer) { store in
                let part = try #require(PartNumber(1001))
                _ = try await store.uploadPart(key: "k", upload: "u", number: part, body: body(of: sizes))
            }
            let expected = "UploadPart: 400 InvalidArgument: \(message), request tx4442587FB7D0A2F9"
            #expect(failure.reason == .unsupported && failure.detail == expected)
            #expect(failure.fullSentence == "The store cannot do this (\(expected)).")
            #expect(failure.clause == "The store cannot do this (\(expected))")
        }
    }

    @Test func refusalWithoutBodyIsItsStatus() async throws {
        let answer = ScriptedAnswer.answer(status: 403, headers: [("X-Amz-Request-Id", "r1")])
        #expect(try await detail(answer) { _ = try await $0.object(key: "k") } == "HeadObject: 403, request r1")
        // After a 404 the client asks whether the bucket exists.
        #expect(try await detail(.answer(status: 404)) { _ = try await $0.object(key: "k") } == "HeadBucket: 404")
    }

    /// The store refuses without a reason, and the status alone does not show what is wrong. So the error names
    /// everything that the operator should check.
    @Test(arguments: [
        (400, "HeadObject", ["endpoint", "region", "session token"]),
        (401, "HeadObject", ["access key", "bucket", "s3:GetObject"]),
        (403, "HeadObject", ["access key", "bucket", "s3:GetObject"]),
        (403, "ListParts", ["access key", "bucket", "s3:ListMultipartUploadParts"]),
        (404, "HeadObject", ["bucket", "endpoint", "region"]), (404, "ListParts", ["endpoint", "proxy"]),
        (400, "ListParts", ["endpoint", "region"]),
    ])
    func refusalWithoutReasonNamesWhatToLookAt(status: Int, call: String, words: [String]) async throws {
        let failure = try await failure(.answer(status: status)) { store in
            if call == "ListParts" { return try await Self.list(store) }
            _ = try await store.object(key: "k")
        }
        for word in words { #expect(failure.sentence.contains(word), "\(failure.sentence)") }
    }

    /// The store answers 403 without a code, and its `Date` is far from the client's time. The client corrects its
    /// clock once and repeats the request. The second answer has yet another date, so the error names the clock.
    @Test func refusalBecauseOfTheClockNamesTheClock() async throws {
        let dates = Mutex(["Thu, 01 Jan 2099 00:00:00 GMT", "Thu, 01 Jan 2015 00:00:00 GMT"][...])
        let script: ScriptedServer.Script = { _ in
            .answer(status: 403, headers: [("Date", dates.withLock { $0.popFirst() } ?? "")])
        }
        try await ScriptedServer.withServer(script) { server in
            try await withScriptedStore(server) { store in
                let failure = await #expect(throws: StoreError.self) { try await store.object(key: "k") }
                #expect(failure?.sentence.contains("clock") == true, "\(failure?.sentence ?? "")")
            }
        }
    }

    /// The outcome is unknown, because the store may have executed the request before it failed. The error still
    /// contains the store's answer.
    @Test func unknownOutcomeKeepsTheDetail() async throws {
        let failure = try await failure(.answer(status: 500, body: error("InternalError", "Please try again."))) {
            _ = try await $0.putObject(key: "k", body: body(of: [10]), metadata: sampleMetadata(), condition: .none)
        }
        #expect(failure.reason == .outcomeUnknown)
        #expect(failure.detail == "PutObject: 500 InternalError: Please try again.")
    }

    @Test func everyCallIsNamed() async throws {
        let answer = ScriptedAnswer.answer(status: 400, body: error("InvalidRequest"))
        let calls: [(name: String, call: @Sendable (S3Store) async throws -> Void)] = [
            ("HeadObject", { _ = try await $0.object(key: "k") }),
            ("GetObject", { _ = try await $0.readObject(key: "k") }),
            ("ListObjectsV2", { _ = try await $0.recordNames(prefix: "", after: nil) }),
            ("ListMultipartUploads", { _ = try await $0.uploads(key: "k") }),
            ("ListParts", { try await Self.list($0) }), ("DeleteObject", { try await $0.deleteRecord(name: "record") }),
            (
                "PutObject",
                {
                    _ = try await $0.putObject(
                        key: "k", body: body(of: [1]), metadata: sampleMetadata(), condition: .none)
                }
            ),
            ("CreateMultipartUpload", { _ = try await $0.createUpload(key: "k", metadata: sampleMetadata()) }),
            ("AbortMultipartUpload", { try await $0.abortUpload(key: "k", upload: "u") }),
            (
                "CompleteMultipartUpload",
                {
                    let part = CompletedPart(
                        number: try #require(PartNumber(1)), size: 10, digest: try SHA256Digest.of([UInt8]()),
                        etag: "e")
                    _ = try await $0.completeUpload(
                        key: "k", upload: "u", parts: [part], size: 10, condition: .none)
                }
            ),
        ]
        for (name, call) in calls {
            let detail = try await detail(answer, call)
            #expect(detail.hasPrefix("\(name): 400"), "\(name): \(detail)")
        }
    }

    /// The server's text is cut, and its control characters are visible: it could otherwise forge lines of a log or
    /// control a terminal.
    @Test func serversTextIsVisibleAndShort() async throws {
        let forged = try await detail(.answer(status: 400, body: error("InvalidRequest", "  a\u{85}b\u{202E}c\n "))) {
            try await Self.list($0)
        }
        #expect(forged == "ListParts: 400 InvalidRequest: a\\u{85}b\\u{202e}c")
        for unit in ["x", "é", "\u{202E}", "🙂"] {
            let long = try await detail(
                .answer(
                    status: 400, headers: [("x-amz-request-id", String(repeating: "r", count: 500))],
                    body: error("InvalidRequest", String(repeating: unit, count: 5_000)))
            ) { try await Self.list($0) }
            #expect((280...300).contains(long.utf8.count), "\(long)")
            #expect(long.hasPrefix("ListParts: 400 InvalidRequest: ") && long.contains(", request rrr"))
        }
        let strange = try await detail(.answer(status: 400, body: error("a b\u{85}"))) { try await Self.list($0) }
        #expect(strange == "ListParts: 400: m", "what is not a code is not shown")
    }

    @Test func quotedSecretsAreRemoved() async throws {
        let credentials = S3Credentials(
            accessKeyID: "id", secretAccessKey: "wJalrXUtnFEMI/K7MDENG", sessionToken: "AQoEXAMPLEH4aoAH0gNCAPy")
        let signature = Mutex("")
        let script: ScriptedServer.Script = { request in
            let authorization = request.headers["authorization"] ?? ""
            signature.withLock { $0 = String(authorization.suffix(64)) }
            let token = request.headers["x-amz-security-token"] ?? ""
            let quoted = "\(token) | \(credentials.secretAccessKey) | \(authorization)"
            return .answer(
                status: 403, headers: [("x-amz-request-id", token)], body: error("AccessDenied", quoted))
        }
        try await ScriptedServer.withServer(script) { server in
            try await withScriptedStore(server, credentials: FixedCredentials(credentials)) { store in
                let failure = await #expect(throws: StoreError.self) { try await Self.list(store) }
                let detail = failure?.detail ?? ""
                #expect(detail.hasPrefix("ListParts: 403 AccessDenied: … | … | AWS4-HMAC-SHA256 Credential=id/"))
                for secret in ["wJalr", "AQoEXAMPLE", signature.withLock { $0 }] {
                    #expect(!secret.isEmpty && !detail.contains(secret), "\(detail)")
                }
            }
        }
    }

    // MARK: Meanings

    /// OpenStack Swift uses the code `EntityTooLarge` also for a body that exceeds a quota, which means that the store
    /// is full. A proxy refuses a large body without any code.
    @Test(arguments: [
        (400, error("EntityTooLarge", "Upload exceeds quota."), StoreError.Reason.full),
        (413, error("EntityTooLarge", "Upload exceeds Quota."), .full),
        (403, error("AccessDenied", "Quota exceeded"), .full), (403, error("QuotaExceeded"), .full),
        (400, error("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size"), .tooLarge),
        (413, "<html>413 Request Entity Too Large</html>", .tooLarge),
    ])
    func tooLargeIsNotTheSameAsFull(status: Int, answer: String, reason: StoreError.Reason) async throws {
        let failure = try await failure(.answer(status: status, body: answer)) {
            try await $0.writeRecord(name: "record", bytes: [1])
        }
        #expect(failure.reason == reason)
        #expect(failure.sentence.contains("proxy") == answer.hasPrefix("<html>"))
    }

    // MARK: The network

    @Test func unresolvedHostIsNamed() async throws {
        for (endpoint, addressing, host) in [
            ("http://no-store.invalid:9000", S3Addressing.path, "no-store.invalid"),
            ("http://127.0.0.1:9000", .virtual, "bucket.127.0.0.1"),
        ] {
            let failure = try await failure(at: endpoint, addressing) { try await Self.list($0) }
            #expect(failure.reason == .unavailable && failure.advice == .name)
            #expect(failure.detail == "ListParts: the name \(host) cannot be resolved")
        }
    }

    /// After a refused connection it is certain that the request had no effect, even if it is not idempotent.
    @Test func refusedConnectionIsNamed() async throws {
        let port = try await Self.unusedPort()
        let failure = try await failure(at: "http://127.0.0.1:\(port)", .path) {
            _ = try await $0.createUpload(key: "k", metadata: sampleMetadata())
        }
        #expect(failure.reason == .unavailable && failure.advice == nil)
        let expected = "CreateMultipartUpload: no connection to 127.0.0.1:\(port): Connection refused"
        #expect(failure.detail == expected)
    }

    /// An operator wrote https:// for a server that speaks HTTP without TLS. Such a server answers the first bytes of
    /// TLS with an HTTP error.
    @Test func serverWithoutTLSIsNamed() async throws {
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(PlainServer())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = server.localAddress?.port ?? 0
        let failure = try await failure(at: "https://127.0.0.1:\(port)", .path) {
            _ = try await $0.createUpload(key: "k", metadata: sampleMetadata())
        }
        try await server.close()
        #expect(failure.reason == .unavailable, "nothing was sent")
        #expect(failure.detail?.contains("127.0.0.1:\(port) does not speak TLS") == true, "\(failure.detail ?? "")")
    }

    @Test func endedConnectionIsNamed() async throws {
        let failure = try await failure(.hangUp) { try await Self.list($0) }
        let detail = failure.detail ?? ""
        #expect(detail.hasPrefix("ListParts: 127.0.0.1:"), "\(detail)")
        #expect(failure.reason == .unavailable && failure.advice == nil)
    }

    private func failure(
        at endpoint: String, _ addressing: S3Addressing, _ call: @escaping @Sendable (S3Store) async throws -> Void
    ) async throws -> StoreError {
        var configuration = try S3Configuration(bucket: "bucket", endpoint: endpoint, addressing: addressing)
        configuration.retries.attemptsMax = 1
        let store = S3Store(configuration: configuration, credentials: anyCredentials, logger: quietLogger)
        return try await shuttingDown(store) { store in
            let failure = await #expect(throws: StoreError.self) { try await call(store) }
            return try #require(failure)
        }
    }

    private static func unusedPort() async throws -> Int {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = channel.localAddress?.port ?? 0
        try await channel.close()
        return port
    }
}

private final class PlainServer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let refusal = ByteBuffer(string: "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        context.writeAndFlush(wrapOutboundOut(refusal), promise: nil)
    }
}
