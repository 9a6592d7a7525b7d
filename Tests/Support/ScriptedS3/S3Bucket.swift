import Cryptography
import Foundation
import NIOCore
import S3Servers
import TransferCommon
import WireProtocol

/// An answer of the bucket before it is encoded as HTTP.
struct S3Reply {
    var status = 200
    var headers: [(name: String, value: String)] = []
    var body = ByteBuffer()

    static func error(_ status: Int, _ code: String, _ message: String = "") -> S3Reply {
        .xml("Error", "<Code>\(code)</Code><Message>\(message)</Message>", status: status)
    }

    static func xml(_ element: String, _ content: String, status: Int = 200) -> S3Reply {
        let text =
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            + "<\(element) xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\(content)</\(element)>"
        return S3Reply(
            status: status, headers: [("Content-Type", "application/xml")], body: ByteBuffer(string: text))
    }

    var scripted: ScriptedAnswer { .data(status: status, headers: headers, body: body) }
}

/// A key that is compared by its bytes: two different keys may be strings that Swift considers equal.
struct S3Key: Hashable, Comparable {
    let text: String

    init(_ text: String) {
        self.text = text
    }

    static func == (left: S3Key, right: S3Key) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }

    static func < (left: S3Key, right: S3Key) -> Bool { left.text.utf8.lexicographicallyPrecedes(right.text.utf8) }

    func hash(into hasher: inout Hasher) {
        for byte in text.utf8 { hasher.combine(byte) }
    }

    func hasPrefix(_ prefix: String) -> Bool { text.utf8.starts(with: prefix.utf8) }
}

/// A bucket in memory with the rules of one kind of store. It has no faults.
struct S3Bucket {
    struct Object {
        var bytes: ByteBuffer
        var etag: String
        /// The `x-amz-meta-…` headers.
        var metadata: [String: String]
        var modified: Date
        /// The value of `x-amz-checksum-sha256`, and its type.
        var checksum: (value: String, type: String)?
    }

    struct Part {
        var bytes: ByteBuffer
        var etag: String
        var md5: [UInt8]
        var sha256: SHA256Digest
        var modified: Date
    }

    struct Upload {
        var key: S3Key
        var metadata: [String: String]
        var begun: Date
        var declaresSHA256: Bool
        var parts: [Int: Part] = [:]
    }

    let rules: S3Rules
    /// Seconds by which the store's clock is ahead of the local one.
    var clockOffset: TimeInterval = 0
    var objects: [S3Key: Object] = [:]
    var uploads: [String: Upload] = [:]
    /// Uploads that have become objects, with the list of parts that completed them.
    var completions: [String: (list: String, reply: S3Reply)] = [:]
    private var lastNumber = 0

    init(rules: S3Rules) {
        self.rules = rules
    }

    var now: Date { Date().addingTimeInterval(clockOffset) }

    mutating func newNumber() -> Int {
        lastNumber += 1
        return lastNumber
    }

    /// Executes a call as the store would, and returns its answer.
    mutating func perform(_ call: S3Call, _ request: ScriptedRequest) -> S3Reply {
        if let refusal = refusal(of: request) { return refusal }
        switch call.operation {
        case .headBucket: return S3Reply()
        case .listObjects: return listObjects(call)
        case .listUploads: return listUploads(call)
        case .headObject, .getObject: return get(call)
        case .putObject: return put(call, request)
        case .deleteObject:
            if let refusal = refusal(of: request, rules.conditionalDelete, key: call.key) { return refusal }
            objects[S3Key(call.key)] = nil
            return S3Reply(status: 204)
        case .createUpload: return create(call, request)
        case .uploadPart: return uploadPart(call, request)
        case .listParts: return listParts(call)
        case .completeUpload: return complete(call, request)
        case .abortUpload:
            guard let id = call.upload, uploads[id]?.key == S3Key(call.key) else { return .error(404, "NoSuchUpload") }
            uploads[id] = nil
            return S3Reply(status: 204)
        case .unknown: return .error(501, "NotImplemented")
        }
    }

    private func refusal(of request: ScriptedRequest) -> S3Reply? {
        guard let authorization = request.headers["authorization"], authorization.hasPrefix("AWS4-HMAC-SHA256 "),
            let date = request.headers["x-amz-date"].flatMap({ Self.date($0) })
        else { return .error(403, "AccessDenied") }
        guard abs(date.timeIntervalSince(now)) <= 900 else { return .error(403, "RequestTimeTooSkewed") }
        if rules.refusesChecksumHeaders,
            request.headers.keys.contains(where: {
                $0.hasPrefix("x-amz-checksum-") || $0 == "x-amz-sdk-checksum-algorithm"
            })
        {
            return .error(400, "InvalidArgument", "Unsupported header")
        }
        return nil
    }

    // MARK: - Bodies

    /// The refusal of a body that does not match the digests in its headers; `nil` if the body matches.
    func objection(to request: ScriptedRequest, sha256: SHA256Digest, md5: [UInt8]) -> S3Reply? {
        if rules.checksContentSHA256, request.headers["x-amz-content-sha256"] != String(describing: sha256) {
            guard !rules.failsOnWrongDigests else { return .error(500, "InternalError") }
            return .error(400, "XAmzContentSHA256Mismatch")
        }
        if let told = request.headers["content-md5"], told != Data(md5).base64EncodedString() {
            return .error(400, "BadDigest")
        }
        if rules.keepsSHA256, let told = request.headers["x-amz-checksum-sha256"], told != Self.base64(sha256) {
            return .error(400, "BadDigest")
        }
        return nil
    }

    /// Both digests of some bytes; `nil` if the library lacks one, which fails the tests that need it.
    static func digests(of bytes: some Sequence<UInt8>) -> (sha256: SHA256Digest, md5: [UInt8])? {
        let buffer = ByteBuffer(bytes: bytes)
        do {
            var md5 = try MD5Hasher()
            md5.update(buffer)
            return (try SHA256Digest.of(buffer.readableBytesView), try md5.finalize().bytes)
        } catch {
            return nil
        }
    }

    static func base64(_ digest: SHA256Digest) -> String { Data(digest.bytes).base64EncodedString() }

    static func metadata(of request: ScriptedRequest) -> [String: String] {
        request.headers.filter { $0.key.hasPrefix("x-amz-meta-") }
    }

    // MARK: - Dates

    static func header(_ date: Date) -> String {
        let names = (
            ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"],
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        )
        let parts = calendar.dateComponents(
            [.weekday, .day, .month, .year, .hour, .minute, .second], from: date)
        let time = [parts.hour, parts.minute, parts.second].map { two($0 ?? 0) }.joined(separator: ":")
        return "\(names.0[(parts.weekday ?? 1) - 1]), \(two(parts.day ?? 0)) \(names.1[(parts.month ?? 1) - 1]) "
            + "\(parts.year ?? 0) \(time) GMT"
    }

    static func xml(_ date: Date) -> String {
        let parts = calendar.dateComponents([.day, .month, .year, .hour, .minute, .second, .nanosecond], from: date)
        let day = "\(parts.year ?? 0)-\(two(parts.month ?? 0))-\(two(parts.day ?? 0))"
        let time = [parts.hour, parts.minute, parts.second].map { two($0 ?? 0) }.joined(separator: ":")
        let thousandths = String(1_000 + (parts.nanosecond ?? 0) / 1_000_000).dropFirst()
        return "\(day)T\(time).\(thousandths)Z"
    }

    /// Parses `yyyyMMddTHHmmssZ`.
    private static func date(_ text: String) -> Date? {
        let digits = text.compactMap(\.wholeNumberValue)
        guard text.count == 16, digits.count == 14 else { return nil }
        let number = { (range: Range<Int>) in digits[range].reduce(0) { $0 * 10 + $1 } }
        return calendar.date(
            from: DateComponents(
                year: number(0..<4), month: number(4..<6), day: number(6..<8), hour: number(8..<10),
                minute: number(10..<12), second: number(12..<14)))
    }

    private static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

    private static let calendar: Calendar = {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        return calendar
    }()
}
