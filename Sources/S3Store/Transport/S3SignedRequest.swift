import AsyncHTTPClient
import FoundationEssentials
import NIOHTTP1

/// A request as sent, and the credentials that signed it. The answer is judged with these credentials, because by then
/// the client may have newer ones.
struct S3SignedRequest {
    var request: S3Request
    var http: HTTPClientRequest
    var credentials: S3Credentials
    var region: String
    var time: Date

    /// The host that the request is sent to, with its port.
    var host: String { http.headers.first(name: "host") ?? "" }

    /// The refusal in an answer of the store.
    ///
    /// - Parameter body: the bytes of the answer's body; empty if it has none or cannot be read.
    func refusal(_ response: HTTPClientResponse, body: [UInt8]) -> S3Refusal {
        let document = S3Documents.Failure(reading: body)
        let named = response.headers.value("x-amz-bucket-region") ?? document?.region
        let region = named.flatMap { S3Endpoint.isRegion($0) && $0 != self.region ? $0 : nil }
        let seconds = response.headers.value("retry-after").flatMap { Int64($0) }
        return S3Refusal(
            operation: request.operation, status: Int(response.status.code), code: document?.code ?? "",
            message: redacted(document?.message), requestID: redacted(response.headers.value("x-amz-request-id")),
            region: region, retryAfter: seconds.map { .seconds(min(max($0, 0), 3600)) })
    }

    /// Removes the secrets and the signature. With the signature, a reader of a log could repeat the request.
    private func redacted(_ text: String?) -> String {
        guard let text else { return "" }
        let signature = http.headers.first(name: "authorization")?.suffix(64) ?? ""
        return credentials.redacted(text).hiding(signature)
    }
}
