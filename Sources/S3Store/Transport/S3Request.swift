import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// One call of the interface, before it is signed.
struct S3Request: Sendable {
    var method: HTTPMethod
    /// The whole key with the prefix, or `nil` for the bucket itself.
    var key: String?
    var query: [(name: String, value: String)] = []
    /// Beside those that every request has.
    var headers: [(name: String, value: String)] = []
    /// Twice is as good as once. Otherwise it is repeated only where the store has surely done nothing, and where that
    /// is not sure the failure is `.outcomeUnknown`.
    var isIdempotent = true
    /// The answer may take minutes.
    var isSlow = false

    init(_ method: HTTPMethod, key: String?) {
        self.method = method
        self.key = key
    }
}

/// An answer that is not a refusal, read to its end.
struct S3Response: Sendable {
    var status: Int
    var headers: HTTPHeaders
    var body: [UInt8]
}

extension ByteBuffer {
    /// A request without a body says nothing of its length.
    var asRequestBody: HTTPClientRequest.Body? { readableBytes > 0 ? .bytes(self) : nil }
}

extension HTTPHeaders {
    /// The header's only or first value, without spaces around it; `nil` where it is missing or empty.
    func value(_ name: String) -> String? {
        guard let value = first(name: name) else { return nil }
        let trimmed = value.drop { $0 == " " }
        return trimmed.isEmpty ? nil : String(trimmed)
    }
}
