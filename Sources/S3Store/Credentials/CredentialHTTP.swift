import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import ObjectStore

/// Asks the servers that hand out credentials: one request, no redirects, a short answer, within a time limit.
///
/// What goes wrong is told without a word of what was sent or came back, since both may be secrets.
struct CredentialHTTP: Sendable {
    /// Longer answers are not read.
    static let answerBytesMax = 64 << 10

    /// A status and what came with it.
    struct Answer: Sendable {
        var status: Int
        var body: [UInt8]
    }

    private struct TimedOut: Error {}

    /// For the whole exchange, connecting included.
    let timeLimit: Duration
    /// Who is asked, as a sentence begins.
    let name: String

    /// Sends a request. A client of its own is made each time: this happens a few times a day.
    ///
    /// - Throws: `.unavailable` where no answer came.
    func send(
        _ method: HTTPMethod, _ address: String, headers: [(String, String)] = [], body: String = ""
    ) async throws(StoreError) -> Answer {
        var request = HTTPClientRequest(url: address)
        request.method = method
        request.headers = HTTPHeaders(headers)
        request.headers.add(name: "user-agent", value: "sluice")
        if !body.isEmpty { request.body = .bytes(ByteBuffer(string: body)) }
        var settings = HTTPClient.Configuration()
        settings.redirectConfiguration = .disallow
        settings.httpVersion = .http1Only
        settings.decompression = .disabled
        settings.timeout = .init(connect: TimeAmount(timeLimit), read: TimeAmount(timeLimit))
        settings.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
        let result = await Self.exchange(request, client, within: timeLimit)
        // What it leaves open, the connection of the answer that was just read or given up, ends by itself.
        try? await client.shutdown()
        do {
            return try result.get()
        } catch is NIOTooManyBytesError {
            throw StoreError(.unavailable, "\(name) gives too long an answer.")
        } catch is TimedOut {
            throw StoreError(.unavailable, "\(name) does not answer.")
        } catch {
            throw StoreError(.unavailable, "\(name) cannot be reached.", cause: error)
        }
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
            // The client's own limits begin anew with each piece of an answer.
            group.addTask {
                // Cancelled, it ends early, and so does the request.
                try? await Task.sleep(for: limit)
                return .failure(TimedOut())
            }
            let first = await group.next() ?? .failure(TimedOut())
            group.cancelAll()
            return first
        }
    }
}
