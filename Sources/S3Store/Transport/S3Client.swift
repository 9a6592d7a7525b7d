import AsyncHTTPClient
import Cryptography
import FoundationEssentials
import Logging
import NIOCore
import NIOHTTP1
import Synchronization
import SystemSupport
import TransferCommon
import WireProtocol

/// Signs requests, sends them, and interprets refusals. It does not know what a request is for.
///
/// From refusals the client learns the bucket's region, the difference between the local clock and the store's, and
/// that it has to renew the credentials. It remembers these for later requests. It does not follow redirects and only
/// reads the region from them, so that an attacker cannot direct a signed request to another host.
final class S3Client: Sendable {
    /// Maximum length of an answer in bytes. For comparison: a page of 10,000 parts has about 4 MB.
    static let answerBytesMax = 16 << 20

    let configuration: S3Configuration
    private let keeper: CredentialKeeper
    private let clock = S3Clock()
    private let quick: HTTPClient
    /// The HTTP client for slow requests. It waits for as long as a store may take to join parts. Two clients are
    /// needed, because the time limits of a client cannot be changed.
    private let patient: HTTPClient
    private let logger: Logger
    private let state: Mutex<State>

    private struct State {
        var region: String
        var signingKey: SigningKey?
        var hasSeenBucket = false
        var retryBudget: S3RetryBudget
    }

    private struct SigningKey {
        let day: String
        let region: String
        let secret: String
        let key: S3SigningKey
    }

    init(configuration: S3Configuration, credentials: any S3CredentialSource, logger: Logger) {
        self.configuration = configuration
        self.keeper = CredentialKeeper(source: credentials, clock: clock, logger: logger)
        self.logger = logger
        self.state = Mutex(State(region: configuration.region, retryBudget: configuration.retries.budget))
        self.quick = HTTPClient.forStore(configuration, answer: configuration.timeouts.answer)
        self.patient = HTTPClient.forStore(configuration, answer: configuration.timeouts.completion)
        if let proxy = configuration.proxy {
            logger.info("Requests to the store use a proxy", metadata: ["s3.proxy": "\(proxy)"])
        }
    }

    /// Closes all connections. Running calls fail.
    func shutdown() async {
        await keeper.shutdown()
        for client in [quick, patient] {
            do {
                try await client.shutdown()
            } catch {
                logger.debug("An HTTP client did not shut down cleanly", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Whether the bucket has answered a request, so that it is known to exist.
    var hasSeenBucket: Bool { state.withLock { $0.hasSeenBucket } }
}

// MARK: - Requests with no body or a small one

extension S3Client {
    /// Sends a request and repeats it if that is allowed and useful.
    ///
    /// - Parameter body: the body. It is in memory, so it can be sent again.
    func send(_ request: S3Request, body: ByteBuffer = ByteBuffer()) async throws(StoreError) -> S3Response {
        try await repeating(request) { () async throws(S3AttemptFailure) -> S3Response in
            let signed = try await self.signed(request, digest: try self.digest(of: body), body: body.asRequestBody)
            // The body is sent together with the head, so the store may have executed the request in any case.
            return try await self.answer(to: signed, deadline: self.deadline(of: request)) { true }
        }
    }

    /// Sends a request for the bytes of an object. The caller reads the answer. If the caller drops the answer instead,
    /// the connection ends.
    func open(_ request: S3Request) async throws(StoreError) -> HTTPClientResponse {
        try await repeating(request) { () async throws(S3AttemptFailure) -> HTTPClientResponse in
            let signed = try await self.signed(request, digest: try self.digest(of: ByteBuffer()), body: nil)
            let response = try await self.execute(signed, deadline: self.deadline(of: request)) { true }
            guard response.status.code < 300 else {
                throw await self.refusal(response, of: signed, isBegun: true)
            }
            self.keeper.accepted(signed.credentials)
            return response
        }
    }

    func repeating<Value>(
        _ request: S3Request, _ attempt: () async throws(S3AttemptFailure) -> Value
    ) async throws(StoreError) -> Value {
        var remedies: Set<S3Meaning.Remedy> = []
        var generator = SystemRandomNumberGenerator()
        var count = 0
        while true {
            count += 1
            do {
                let value = try await attempt()
                state.withLock { $0.retryBudget.answered() }
                return value
            } catch {
                let mayRepeat = request.isIdempotent || error.isUndone
                // Waiting may help several times. Every other remedy can help only once, so a second failure with the
                // same remedy ends the repetition.
                let isNew = error.remedy == .time || remedies.insert(error.remedy).inserted
                guard mayRepeat, isNew, error.remedy != .none, count < configuration.retries.attemptsMax else {
                    throw error.error(isIdempotent: request.isIdempotent).afterAttempts(count)
                }
                logger.debug(
                    "Repeating a request to the store",
                    metadata: [
                        "s3.operation": "\(request.operation)", "s3.attempt": "\(count)",
                        "store.error": "\(error.error.shortDescription)",
                        "store.detail": "\(error.error.detail ?? "")",
                    ])
                guard error.remedy == .time else { continue }
                guard state.withLock({ $0.retryBudget.take() }) else {
                    throw error.error(isIdempotent: request.isIdempotent).afterAttempts(count)
                }
                var delay = configuration.retries.delay(afterAttempt: count, using: &generator)
                if case .throttled(let asked?) = error.error.reason {
                    guard asked <= configuration.retries.delayMax else { throw error.error.afterAttempts(count) }
                    delay = max(delay, asked)
                }
                try await pause(delay)
            }
        }
    }

    func deadline(of request: S3Request) -> NIODeadline {
        let timeouts = configuration.timeouts
        return .now() + TimeAmount(timeouts.connect + (request.isSlow ? timeouts.completion : timeouts.answer))
    }

    private func pause(_ delay: Duration) async throws(StoreError) {
        do {
            try await Task.sleep(for: delay)
        } catch {
            throw StoreError(.cancelled, cause: error)
        }
    }
}

// MARK: - One attempt

extension S3Client {
    func answer(
        to signed: S3SignedRequest, deadline: NIODeadline, isBegun: () -> Bool
    ) async throws(S3AttemptFailure) -> S3Response {
        let response = try await execute(signed, deadline: deadline, isBegun: isBegun)
        guard response.status.code < 300 else {
            throw await refusal(response, of: signed, isBegun: isBegun())
        }
        var body = ByteBuffer()
        do {
            body = try await response.body.collect(upTo: Self.answerBytesMax)
        } catch {
            throw S3AttemptFailure(transport: error, of: signed, isBegun: true)
        }
        let bytes = Array(body.readableBytesView)
        // For some requests a store sends status 200 at once and reports a later error in the body.
        if XMLReader.rootName(of: bytes) == "Error" {
            var refusal = signed.refusal(response, body: bytes)
            // The status decides if the error code is unknown. Use 500 instead of 200, which would say nothing about
            // the error.
            refusal.status = 500
            throw await failure(refusal, response, of: signed, isBegun: true)
        }
        state.withLock { $0.hasSeenBucket = true }
        keeper.accepted(signed.credentials)
        return S3Response(status: Int(response.status.code), headers: response.headers, body: bytes)
    }

    /// - Parameters:
    ///   - deadline: time limit for the head of the answer. For a streamed body it is in the distant future, and the
    ///     caller limits the time.
    ///   - isBegun: whether enough bytes were sent for the store to execute the request. Called if there is no answer.
    private func execute(
        _ signed: S3SignedRequest, deadline: NIODeadline, isBegun: () -> Bool
    ) async throws(S3AttemptFailure) -> HTTPClientResponse {
        do {
            return try await (signed.request.isSlow ? patient : quick).execute(signed.http, deadline: deadline)
        } catch {
            throw S3AttemptFailure(transport: error, of: signed, isBegun: isBegun())
        }
    }

    private func refusal(
        _ response: HTTPClientResponse, of signed: S3SignedRequest, isBegun: Bool
    ) async -> S3AttemptFailure {
        var bytes: [UInt8] = []
        do {
            bytes = Array(try await response.body.collect(upTo: 1 << 20).readableBytesView)
        } catch {
            logger.debug("A refusal's body could not be read", metadata: ["error": "\(error)"])
        }
        return await failure(signed.refusal(response, body: bytes), response, of: signed, isBegun: isBegun)
    }

    private func failure(
        _ refusal: S3Refusal, _ response: HTTPClientResponse, of signed: S3SignedRequest, isBegun: Bool
    ) async -> S3AttemptFailure {
        var meaning = refusal.meaning
        let date = response.headers.value("date").flatMap { S3Time.date(header: $0) }
        if refusal.code.isEmpty {
            let isSkewed = date.map { abs($0.timeIntervalSince(signed.time)) > 600 } ?? false
            meaning = refusal.bareMeaning(afterHead: signed.http.method == .HEAD, isSkewed: isSkewed)
        }
        switch meaning.remedy {
        case .none:
            // An ordinary refusal, for example for a missing object, shows that the store is not overloaded.
            state.withLock { $0.retryBudget.answered() }
        case .time:
            break
        case .newCredentials:
            do throws(StoreError) {
                let isNew = try await keeper.renew(
                    insteadOf: signed.credentials, refusal.namesCredentials ? .certain : .possible)
                if !isNew { meaning.remedy = .none }
            } catch {
                // The source did not answer, so it is unknown whether there are new credentials.
                return S3AttemptFailure(
                    error: StoreError(.unavailable, error.sentence, cause: refusal), remedy: .none, isUndone: true)
            }
        case .otherClock:
            if let date { setClock(to: date) } else { meaning.remedy = .none }
        case .otherRegion:
            if let region = refusal.region { setRegion(region) } else { meaning.remedy = .none }
        }
        let error = StoreError(meaning.reason, refusal.sentence(for: meaning), cause: refusal)
        return S3AttemptFailure(
            error: error, remedy: meaning.remedy, isUndone: meaning.isDecided || !isBegun)
    }
}

// MARK: - Signing

extension S3Client {
    private func setClock(to date: Date) {
        guard let offset = clock.set(to: date) else { return }
        logger.warning("The clock differs from the store's", metadata: ["s3.clock_offset_seconds": "\(offset)"])
    }

    private func setRegion(_ region: String) {
        let isNew = state.withLock { state in
            defer { state.region = region }
            return state.region != region
        }
        guard isNew else { return }
        logger.info("The bucket is in another region than was configured", metadata: ["s3.region": "\(region)"])
    }

    private func digest(of body: ByteBuffer) throws(S3AttemptFailure) -> SHA256Digest {
        do {
            return try SHA256Digest.of(body.readableBytesView)
        } catch {
            throw S3AttemptFailure(error)
        }
    }

    func signed(
        _ request: S3Request, digest: SHA256Digest, body: HTTPClientRequest.Body?
    ) async throws(S3AttemptFailure) -> S3SignedRequest {
        let credentials: S3Credentials
        do {
            credentials = try await keeper.credentials()
        } catch {
            throw S3AttemptFailure(error: error, remedy: .none, isUndone: true)
        }
        let region = state.withLock { $0.region }
        let time = clock.now
        let timestamp = S3Time.timestamp(time)
        let target = configuration.endpoint.target(
            bucket: configuration.bucket, addressing: configuration.addressing, region: region)
        let key = request.key.map { "/" + S3Signature.percentEncoded($0, keepingSlashes: true) } ?? ""
        let path = target.pathPrefix + key
        let payload = digest.description
        var headers = request.headers
        headers.reserveCapacity(headers.count + 6)
        headers.append(("host", target.authority))
        headers.append(("x-amz-content-sha256", payload))
        headers.append(("x-amz-date", timestamp))
        if let token = credentials.sessionToken { headers.append(("x-amz-security-token", token)) }
        let subject = S3Signature.Subject(
            method: request.method.rawValue, path: path.isEmpty ? "/" : path, query: request.query,
            headers: headers.filter { Self.isSigned($0.name) }, payload: payload)
        do {
            let key = try signingKey(day: String(timestamp.prefix(8)), region: region, credentials: credentials)
            let authorization = try S3Signature.authorization(
                of: subject, timestamp: timestamp, accessKeyID: credentials.accessKeyID, key: key)
            headers.append(("authorization", authorization))
            headers.append(("user-agent", "sluice"))
        } catch {
            throw S3AttemptFailure(error)
        }
        let query = S3Signature.canonicalQuery(request.query)
        var signed = HTTPClientRequest(url: target.origin + subject.path + (query.isEmpty ? "" : "?" + query))
        signed.method = request.method
        signed.headers = HTTPHeaders(headers.map { ($0.name, $0.value) })
        signed.body = body
        return S3SignedRequest(
            request: request, http: signed, credentials: credentials, region: region, time: time)
    }

    /// Only these headers are signed, because proxies may change others.
    private static func isSigned(_ header: String) -> Bool {
        header == "host" || header == "content-md5" || header.hasPrefix("x-amz-")
    }

    private func signingKey(
        day: String, region: String, credentials: S3Credentials
    ) throws(CryptographyError) -> S3SigningKey {
        let kept = state.withLock { $0.signingKey }
        if let kept, kept.day == day, kept.region == region, kept.secret == credentials.secretAccessKey {
            return kept.key
        }
        let key = try S3SigningKey(secretAccessKey: credentials.secretAccessKey, day: day, region: region)
        state.withLock { state in
            state.signingKey = SigningKey(day: day, region: region, secret: credentials.secretAccessKey, key: key)
        }
        return key
    }
}
