import Foundation
import NIOCore
import ObjectStore
import ObjectStoreConformance
import S3Servers
import S3Store
import Synchronization
import Testing
import TransferCommon
import WireProtocol

/// What the client learns from one answer and uses for all its requests: credentials, the store's clock, the region.
@Suite(.timeLimit(.minutes(5))) struct LearningTests {
    private static let page = ScriptedAnswer.answer(status: 200, body: "<ListPartsResult/>")
    private static let expired = ScriptedAnswer.answer(status: 400, body: error("ExpiredToken"))

    private func list(_ store: S3Store) async throws {
        _ = try await store.listParts(key: "k", upload: "u", after: nil)
    }

    private func listMany(_ store: S3Store, count: Int = 8) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<count {
                group.addTask { _ = try await store.listParts(key: "k", upload: "u", after: nil) }
            }
            try await group.waitForAll()
        }
    }

    /// A store whose clock is ahead of the local clock. It refuses every request whose time differs from its own.
    private static func store(ahead: @escaping @Sendable () -> TimeInterval) -> ScriptedServer.Script {
        { request in
            let time = Date().addingTimeInterval(ahead())
            let isClose = [-120.0, -60, 0, 60, 120].contains { offset in
                // Compare by the minute. This is exact enough, because the tests move the clock by nearly an hour or
                // more.
                request.headers["x-amz-date"]?.prefix(13)
                    == S3Time.timestamp(time.addingTimeInterval(offset)).prefix(13)
            }
            guard !isClose else { return page }
            return .answer(
                status: 403, headers: [("Date", httpDate(time))], body: error("RequestTimeTooSkewed"))
        }
    }

    /// Holds answers back until a number of requests wait for them. So the client sends all these requests before it
    /// learns anything from an answer.
    private final class Gathering: Sendable {
        private let waiting = Mutex<[@Sendable () -> Void]>([])
        private let count: Int

        init(of count: Int) {
            self.count = count
        }

        func answer(_ answer: ScriptedAnswer) -> ScriptedAnswer {
            .deferred { [self] reply in
                let complete = waiting.withLock { waiting in
                    waiting.append { reply(answer) }
                    return waiting.count == count ? waiting : []
                }
                for reply in complete { reply() }
            }
        }
    }

    // MARK: - Credentials

    @Test func simultaneousRequestsRenewOnce() async throws {
        let source = NumberedCredentials()
        let gathering = Gathering(of: 8)
        let script: ScriptedServer.Script = { request in
            request.headers["x-amz-security-token"] == "token1" ? gathering.answer(Self.expired) : Self.page
        }
        try await ScriptedServer.withServer(script) { server in
            try await withScriptedStore(server, credentials: source) { store in
                try await listMany(store)
                #expect(source.count == 2)
            }
        }
    }

    @Test func renewalStopsAfterSecondRefusal() async throws {
        let source = NumberedCredentials()
        try await ScriptedServer.withServer({ _ in Self.expired }) { server in
            try await withScriptedStore(server, credentials: source) { store in
                await expect(throwing: .denied) { try await list(store) }
                #expect(server.requests.count == 2)
            }
        }
    }

    /// The source issues new credentials each time, and the store refuses them all. Each time the client waits longer
    /// before it asks the source again, so that the seventh question would come only after 15 s.
    @Test func sourceHasPausesWhileTheStoreRefusesNewCredentials() async throws {
        let source = NumberedCredentials()
        try await ScriptedServer.withServer({ _ in Self.expired }) { server in
            try await withScriptedStore(server, credentials: source) { store in
                for _ in 1...30 { await expect(throwing: .denied) { try await list(store) } }
                #expect((2...7).contains(source.count), "\(source.count)")
            }
        }
    }

    @Test func failedSourceIsAnOutage() async throws {
        let source = NumberedCredentials { $0 == 1 ? nil : StoreError(.denied, "The source is gone.") }
        try await ScriptedServer.withServer({ _ in Self.expired }) { server in
            try await withScriptedStore(server, credentials: source) { store in
                for _ in 1...30 {
                    let failure = await #expect(throws: StoreError.self) { try await list(store) }
                    #expect(failure?.reason == .unavailable && failure?.sentence == "The source is gone.")
                }
                #expect(server.requests.count == 30, "the store judges the credentials again")
                // The client does not ask the source for every request. After each failure it waits longer before it
                // asks again, so that the seventh question would come only after 15 s.
                #expect((2...7).contains(source.count), "\(source.count)")
            }
        }
    }

    /// While the source of credentials is away, the store refuses one HEAD request without a reason, or one request
    /// because of its signature. The credentials need not be the cause, so all other requests still use them.
    @Test(arguments: [
        ScriptedAnswer.answer(status: 403), .answer(status: 401), .answer(status: 400),
        .answer(status: 403, body: error("SignatureDoesNotMatch")),
    ])
    func refusedRequestDelaysNoOtherRequest(answer: ScriptedAnswer) async throws {
        let source = NumberedCredentials { $0 == 1 ? nil : StoreError(.denied, "The source is gone.") }
        let isBare = if case .answer(_, _, "") = answer { true } else { false }
        let script: ScriptedServer.Script = { $0.target.contains("/refused") ? answer : Self.page }
        try await ScriptedServer.withServer(script) { server in
            try await withScriptedStore(server, credentials: source) { store in
                for _ in 1...3 {
                    await expect(throwing: .unavailable) {
                        if isBare { return try await store.object(key: "refused") != nil }
                        return try await store.listParts(key: "refused", upload: "u", after: nil).parts.isEmpty
                    }
                    try await listMany(store)
                }
                #expect(server.requests.allSatisfy { $0.headers["x-amz-security-token"] == "token1" })
                #expect(server.requests.count == 27)
            }
        }
    }

    /// The error code of the store's refusal names the credentials, and the source of credentials is away. The client
    /// still sends requests with the refused credentials. The first success ends the outage.
    @Test func refusedCredentialsWorkAgain() async throws {
        let source = NumberedCredentials { $0 == 1 ? nil : StoreError(.denied, "The source is gone.") }
        let rest = Mutex([Self.expired][...])
        try await ScriptedServer.withServer({ _ in rest.withLock { $0.popFirst() } ?? Self.page }) { server in
            let record = LogRecord()
            try await withScriptedStore(server, credentials: source, logger: record.logger) { store in
                await expect(throwing: .unavailable) { try await list(store) }
                try await listMany(store)
            }
            #expect(record.lines.contains { $0.hasPrefix("warning The store refuses the gateway's credentials") })
            let again = "notice The store accepts the gateway's credentials again"
            #expect(record.lines.count { $0.hasPrefix(again) } == 1)
        }
    }

    /// A refused HEAD has no body, so the client sees no error code: AWS answers an expired token with a bare 400. The
    /// client therefore renews its credentials once after any of these statuses.
    @Test(arguments: [400, 401, 403])
    func aRefusedHeadRenewsCredentialsOnce(status: Int) async throws {
        let source = NumberedCredentials()
        let script: ScriptedServer.Script = { request in
            request.headers["x-amz-security-token"] == "token1" ? .answer(status: status) : .answer(status: 404)
        }
        try await ScriptedServer.withServer(script) { server in
            try await withScriptedStore(server, credentials: source) { store in
                // The client repeats HEAD with new credentials and gets 404. It then sends HEAD for the bucket, which
                // is not found either.
                await expect(throwing: .bucketMissing) { try await store.object(key: "k") }
                #expect(source.count == 2)
            }
        }
    }

    @Test(arguments: [(400, StoreError.Reason.unavailable), (403, .denied)])
    func refusedHeadEndsRenewal(status: Int, reason: StoreError.Reason) async throws {
        let source = NumberedCredentials()
        try await ScriptedServer.withServer({ _ in .answer(status: status) }) { server in
            try await withScriptedStore(server, credentials: source) { store in
                await expect(throwing: reason) { try await store.object(key: "k") }
                #expect(server.requests.count == 2 && source.count <= 3, "\(source.count)")
            }
        }
    }

    /// An answer of 404 without an error code may come from a proxy in front of a store that is still starting. It does
    /// not show that the object is missing.
    @Test func aBare404IsAnOutage() async throws {
        try await ScriptedServer.withServer({ _ in .answer(status: 404, body: "<html/>") }) { server in
            try await withScriptedStore(server) { store in
                await expect(throwing: .unavailable) { try await list(store) }
            }
        }
    }

    @Test func earlyRenewalDelaysNoRequest() async throws {
        let (gate, opener) = AsyncStream.makeStream(of: Void.self)
        let source = NumberedCredentials(lasting: 3_600) { count in
            if count == 2 { for await _ in gate {} }
            return nil
        }
        let ahead = Mutex<TimeInterval>(0)
        try await ScriptedServer.withServer(Self.store { ahead.withLock { $0 } }) { server in
            try await withScriptedStore(server, credentials: source) { store in
                try await list(store)
                ahead.withLock { $0 = 3_300 }
                // The store refuses the first request because of its time. The client learns the store's clock, and the
                // second request uses the old credentials, which are still valid by that clock.
                for _ in 1...3 { try await list(store) }
                #expect(Set(server.requests.map { $0.headers["x-amz-security-token"] }) == ["token1"])
                opener.finish()
                while server.requests.last?.headers["x-amz-security-token"] != "token2" { try await list(store) }
                #expect(source.count == 2)
            }
        }
    }

    @Test func expiryIsJudgedByTheStoresClock() async throws {
        let source = NumberedCredentials(lasting: 3_600)
        let ahead = Mutex<TimeInterval>(0)
        try await ScriptedServer.withServer(Self.store { ahead.withLock { $0 } }) { server in
            try await withScriptedStore(server, credentials: source) { store in
                try await list(store)
                ahead.withLock { $0 = 7_200 }
                try await list(store)
                #expect(server.requests.map { $0.headers["x-amz-security-token"] } == ["token1", "token1", "token2"])
            }
        }
    }

    // MARK: - Clock

    /// One refusal because of a wrong time corrects the client's clock for all later requests. Without such a refusal,
    /// a `Date` header that differs corrects nothing.
    @Test func clockIsLearntOnlyFromSkewRefusal() async throws {
        let ahead = Mutex<TimeInterval>(5 * 86_400)
        try await ScriptedServer.withServer(Self.store { ahead.withLock { $0 } }) { server in
            try await withScriptedStore(server) { store in
                try await list(store)
                #expect(server.requests.count == 2)
                try await listMany(store)
                #expect(server.requests.count == 10)
            }
        }
        let late = httpDate(Date().addingTimeInterval(5 * 86_400))
        let answers: [ScriptedAnswer] = [
            .answer(status: 200, headers: [("Date", late)], body: "<ListPartsResult/>"),
            .answer(status: 503, headers: [("Date", late)], body: error("SlowDown")), Self.page,
        ]
        let rest = Mutex(answers[...])
        try await ScriptedServer.withServer({ _ in rest.withLock { $0.popFirst() } ?? .hangUp }) { server in
            try await withScriptedStore(server) { store in
                for _ in 1...2 { try await list(store) }
                let tomorrow = S3Time.timestamp(Date().addingTimeInterval(2 * 86_400))
                #expect(server.requests.count == 3)
                #expect(server.requests.allSatisfy { $0.headers["x-amz-date"].map { $0 < tomorrow } ?? false })
            }
        }
    }

    // MARK: - Region

    @Test func simultaneousRequestsFollowTheBucketTogether() async throws {
        let elsewhere = ScriptedAnswer.answer(
            status: 301, headers: [("x-amz-bucket-region", "eu-west-3")], body: error("PermanentRedirect"))
        let gathering = Gathering(of: 8)
        let script: ScriptedServer.Script = { request in
            request.headers["authorization"]?.contains("/us-east-1/s3/") == true
                ? gathering.answer(elsewhere) : Self.page
        }
        try await ScriptedServer.withServer(script) { server in
            try await withScriptedStore(server) { store in
                try await listMany(store)
                #expect(server.requests.count == 16)
                try await listMany(store)
                #expect(server.requests.count == 24)
            }
        }
    }

    @Test(arguments: [301, 302, 303, 307, 308], ["", "TemporaryRedirect", "PermanentRedirect"])
    func noRedirectCarriesARequestToAnotherServer(status: Int, code: String) async throws {
        try await ScriptedServer.withServer({ _ in Self.page }) { other in
            for location in ["\(other.endpoint)/b/k", other.endpoint.replacing("http://", with: "https://") + "/b/k"] {
                let answer = ScriptedAnswer.answer(
                    status: status, headers: [("Location", location)],
                    body: code.isEmpty ? "" : error(code, extra: "<Endpoint>\(location)</Endpoint>"))
                try await ScriptedServer.withServer({ _ in answer }) { server in
                    try await withScriptedStore(server) { store in
                        let failure = await #expect(throws: StoreError.self) { try await list(store) }
                        #expect(failure?.reason == .denied && failure?.advice == .address)
                        #expect(failure?.sentence.contains("another address") == true)
                        let one = try #require(PartNumber(1))
                        await expect(throwing: .denied) {
                            try await store.uploadPart(key: "k", upload: "u", number: one, body: body(of: [10, 10]))
                        }
                        #expect(server.requests.count == 2)
                    }
                }
            }
            #expect(other.requests.isEmpty)
        }
    }
}

private func httpDate(_ date: Date) -> String {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.timeZone = TimeZone(identifier: "GMT")
    formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
    return formatter.string(from: date)
}

/// A source that returns new credentials at each call.
final class NumberedCredentials: S3CredentialSource {
    private let asked = Mutex(0)
    private let lifetime: TimeInterval?
    private let failure: @Sendable (Int) async -> StoreError?

    /// Number of calls.
    var count: Int { asked.withLock { $0 } }

    /// - Parameters:
    /// - lifetime: how long the first credentials last, in seconds; `nil` if they never expire.
    /// - failure: receives the number of the call, from 1; returns the error of this call, or `nil`.
    init(lasting lifetime: TimeInterval? = nil, failure: @escaping @Sendable (Int) async -> StoreError? = { _ in nil })
    {
        self.lifetime = lifetime
        self.failure = failure
    }

    func credentials(insteadOf expired: S3Credentials?) async throws(StoreError) -> S3Credentials? {
        let count = asked.withLock { asked in
            asked += 1
            return asked
        }
        if let failure = await failure(count) { throw failure }
        // Later credentials last longer than earlier ones.
        let expiration = lifetime.map { Date().addingTimeInterval($0 * Double(count * count)) }
        return S3Credentials(
            accessKeyID: "id", secretAccessKey: "secret", sessionToken: "token\(count)", expiration: expiration)
    }
}
