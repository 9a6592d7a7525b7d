import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// One call of S3's interface, before it is signed.
struct S3Request: Sendable {
    var method: HTTPMethod
    /// The complete key, including the prefix; `nil` for a request to the bucket itself.
    var key: String?
    var query: [(name: String, value: String)] = []
    /// Headers of this request, in addition to the headers that every request has.
    var headers: [(name: String, value: String)] = []
    /// Whether the request is safe to repeat. If it is not, the client repeats it only when the store certainly has not
    /// executed it. When the store may have executed it, the client throws `.outcomeUnknown`.
    var isIdempotent = true
    /// Whether the answer may take minutes.
    var isSlow = false

    init(_ method: HTTPMethod, key: String?) {
        self.method = method
        self.key = key
    }

    /// A request for one page of the bucket's unfinished uploads or of its objects' versions.
    ///
    /// - Parameters:
    ///   - listing: the parameter that names the listing: `uploads` or `versions`.
    ///   - prefix: the prefix of the listed keys.
    ///   - marker: the key and the id at which the page before ended; `nil` for the first page. Some stores name no id,
    ///     and then `id` is empty.
    ///   - idMarker: the parameter that carries the id.
    static func page(
        of listing: String, prefix: String, after marker: (key: String, id: String)?, idMarker: String
    ) -> S3Request {
        var request = S3Request(.GET, key: nil)
        request.query = [(listing, ""), ("prefix", prefix), ("encoding-type", "url")]
        guard let marker else { return request }
        request.query.append(("key-marker", marker.key))
        if !marker.id.isEmpty { request.query.append((idMarker, marker.id)) }
        return request
    }
}

/// A complete answer of the store that is not a refusal.
struct S3Response: Sendable {
    var status: Int
    var headers: HTTPHeaders
    var body: [UInt8]
}

extension ByteBuffer {
    /// The buffer as the body of a request; `nil` if it is empty, because a request without a body must have no length
    /// header.
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
