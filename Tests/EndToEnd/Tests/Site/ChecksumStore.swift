import Cryptography
import Foundation
import S3Servers
import TransferCommon
import WireProtocol

/// A scripted S3 store that keeps the SHA-256 of parts and returns composite checksums, as AWS documents it. No S3
/// server that the tests can install does this. The store holds one object, and accepts no writes except those of a
/// gateway's probe.
struct ChecksumStore: Sendable {
    /// Key of the object in the bucket.
    let key: String
    let size: Int
    let partBytes: Int
    let partDigests: [SHA256Digest]
    /// Digest of the one byte that a gateway's probe writes.
    private let probeDigest: SHA256Digest

    /// Makes a store with one object.
    ///
    /// - Parameter file: the content of the object.
    init(key: String, file: URL, partBytes: Int) throws {
        let bytes = [UInt8](try Data(contentsOf: file))
        self.key = key
        self.size = bytes.count
        self.partBytes = partBytes
        self.probeDigest = try SHA256Digest.of([0x2E])
        self.partDigests = try stride(from: 0, to: bytes.count, by: partBytes).map {
            try SHA256Digest.of(bytes[$0..<min($0 + partBytes, bytes.count)])
        }
    }

    func answer(_ request: ScriptedRequest) -> ScriptedAnswer {
        let path = request.target.split(separator: "?").first.map(String.init) ?? ""
        let isUpload = request.target.contains("uploadId=")
        switch request.method {
        case "HEAD" where path.hasSuffix("/" + key):
            return object(size: size, digests: partDigests)
        case "HEAD" where path.hasSuffix("-absent"):
            return .answer(status: 404)
        case "HEAD" where path.contains("/.sluice/probe/"):
            return object(size: 1, digests: [probeDigest])
        case "POST" where isUpload:
            return xml("CompleteMultipartUploadResult", "<ETag>\"e-1\"</ETag>")
        case "POST":
            return xml("InitiateMultipartUploadResult", "<UploadId>upload</UploadId>")
        case "PUT" where isUpload:
            guard isRight(request) else {
                return .answer(status: 400, body: "<Error><Code>XAmzContentSHA256Mismatch</Code></Error>")
            }
            return .answer(status: 200, headers: [("ETag", "\"e\"")])
        case "PUT" where request.headers["if-none-match"] != nil:
            return .answer(status: 412, body: "<Error><Code>PreconditionFailed</Code></Error>")
        case "PUT" where path.contains("/.sluice/probe/"):
            return .answer(status: 200, headers: [("ETag", "\"e\"")])
        case "DELETE":
            return .answer(status: 204)
        case "GET" where isUpload:
            return xml("ListPartsResult", "<IsTruncated>false</IsTruncated>")
        case "GET" where request.target.contains("uploads="):
            return xml("ListMultipartUploadsResult", "<IsTruncated>false</IsTruncated>")
        case "GET" where request.target.contains("list-type"):
            return xml("ListBucketResult", "<KeyCount>0</KeyCount><IsTruncated>false</IsTruncated>")
        default:
            return .answer(status: 404, body: "<Error><Code>NoSuchKey</Code></Error>")
        }
    }

    private func isRight(_ request: ScriptedRequest) -> Bool {
        // OpenSSL has just computed other digests, so computing this digest does not fail either.
        guard let digest = try? SHA256Digest.of(request.body) else { return false }
        return request.headers["x-amz-content-sha256"] == String(describing: digest)
    }

    private func object(size: Int, digests: [SHA256Digest]) -> ScriptedAnswer {
        // OpenSSL has just computed other digests, so computing this digest does not fail either.
        guard let root = try? SHA256Digest.of(digests.flatMap(\.bytes)) else { return .answer(status: 500) }
        return .answer(
            status: 200,
            headers: [
                ("Content-Length", "\(size)"), ("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT"), ("ETag", "\"e-1\""),
                ("x-amz-checksum-sha256", "\(Data(root.bytes).base64EncodedString())-\(digests.count)"),
                ("x-amz-checksum-type", "COMPOSITE"),
                ("x-amz-meta-sluice-session", String(repeating: "5", count: 32)),
                ("x-amz-meta-sluice-part-bytes", "\(partBytes)"), ("x-amz-meta-sluice-modified", "1s0ns"),
            ])
    }

    private func xml(_ element: String, _ content: String) -> ScriptedAnswer {
        .answer(
            status: 200, headers: [("Content-Type", "application/xml")],
            body: "<?xml version=\"1.0\"?><\(element) xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                + "\(content)</\(element)>")
    }
}
