import AsyncHTTPClient
import FoundationEssentials
import NIOCore
import NIOHTTP1
import TransferCommon

/// Sends single requests to servers that issue credentials. It follows no redirects. It limits the length of an answer
/// and the time of the whole exchange.
///
/// Errors quote neither the request nor the answer, because both may contain secrets.
struct CredentialHTTP: Sendable {
    /// Maximum length of an answer in bytes.
    static let answerBytesMax = 64 << 10

    /// The answer of a server that issues credentials.
    struct Answer: Sendable {
        var status: Int
        var body: [UInt8]
    }

    private struct TimedOut: Error {}

    /// Time limit of the whole exchange, including connecting.
    let timeLimit: Duration
    /// The server's name, with which the sentence of each error begins.
    let name: String

    /// Sends a request. Each request makes an HTTP client of its own, because there are only a few requests per day.
    ///
    /// - Parameter proxies: the proxies that the request may use. There are none for servers that only this machine can
    ///   reach.
    /// - Throws: `.unavailable` if no answer arrived.
    func send(
        _ method: HTTPMethod, _ address: String, headers: [(String, String)] = [], body: String = "",
        proxies: ProxySettings = .none
    ) async throws(StoreError) -> Answer {
        var request = HTTPClientRequest(url: address)
        request.method = method
        request.headers = HTTPHeaders(headers)
        request.headers.add(name: "user-agent", value: "sluice")
        if !body.isEmpty { request.body = .bytes(ByteBuffer(string: body)) }
        var settings = HTTPClient.Configuration()
        settings.proxy = Self.proxy(for: address, proxies)?.setting
        settings.redirectConfiguration = .disallow
        settings.httpVersion = .http1Only
        settings.decompression = .disabled
        settings.timeout = .init(connect: TimeAmount(timeLimit), read: TimeAmount(timeLimit))
        settings.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
        let result = await Self.exchange(request, client, within: timeLimit)
        // try?: a failure of `shutdown` does not concern the answer, which was read or abandoned before.
        try? await client.shutdown()
        do {
            return try result.get()
        } catch is NIOTooManyBytesError {
            throw StoreError(.unavailable, "\(name) sent an answer that is too long.")
        } catch is TimedOut {
            throw StoreError(.unavailable, "\(name) does not answer.")
        } catch {
            let host = URL(string: address)?.host() ?? ""
            let failure = S3TransportFailure(error, operation: method.rawValue, host: host)
            throw StoreError(.unavailable, "\(name) cannot be reached.", cause: failure)
        }
    }

    private static func proxy(for address: String, _ proxies: ProxySettings) -> ProxySettings.Proxy? {
        guard let url = URL(string: address), let host = url.host() else { return nil }
        let isSecure = url.scheme == "https"
        return proxies.proxy(host: host, port: url.port ?? (isSecure ? 443 : 80), isSecure: isSecure)
    }

    private static func exchange(
        _ request: HTTPClientRequest, _ client: HTTPClient, within limit: Duration
    ) async -> Result<Answer, any Error> {
        await withTaskGroup(of: Result<Answer, any Error>.self) { group in
            group.addTask {
                do {
                    let response = try await client.execute(request, timeout: TimeAmount(limit))
                    let body = try await response.body.collect(upTo: answerBytesMax)
                    return .success(Answer(status: Int(response.status.code), body: Array(body.readableBytesView)))
                } catch {
                    return .failure(error)
                }
            }
            // Limit the time of the whole exchange here. The time limits of the HTTP client start again with each piece
            // of an answer.
            group.addTask {
                // try?: if the sleep is cancelled, the request has ended or its caller was cancelled.
                try? await Task.sleep(for: limit)
                return .failure(TimedOut())
            }
            let first = await group.next() ?? .failure(TimedOut())
            group.cancelAll()
            return first
        }
    }
}
