import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// One call of S3's interface, before it is signed.
struct S3Request: Sendable {
    var method: HTTPMethod
    /// The whole key with the prefix; `nil` for the bucket itself.
    var key: String?
    var query: [(name: String, value: String)] = []
    /// Headers in addition to those of every request.
    var headers: [(name: String, value: String)] = []
    /// Whether the request is safe to repeat. If not, the client repeats it only if the store has certainly not
    /// executed it, and reports `.outcomeUnknown` if that is uncertain.
    var isIdempotent = true
    /// Whether the answer may take minutes.
    var isSlow = false

    init(_ method: HTTPMethod, key: String?) {
        self.method = method
        self.key = key
    }
}

/// A complete answer that is not a refusal.
struct S3Response: Sendable {
    var status: Int
    var headers: HTTPHeaders
    var body: [UInt8]
}

extension ByteBuffer {
    /// `nil` if the buffer is empty: a request without a body has no length header.
    var asRequestBody: HTTPClientRequest.Body? { readableBytes > 0 ? .bytes(self) : nil }
}

extension HTTPHeaders {
    /// The header's first value, without surrounding spaces; `nil` if missing or empty.
    func value(_ name: String) -> String? {
        guard let value = first(name: name) else { return nil }
        let trimmed = value.drop { $0 == " " }
        return trimmed.isEmpty ? nil : String(trimmed)
    }
}
