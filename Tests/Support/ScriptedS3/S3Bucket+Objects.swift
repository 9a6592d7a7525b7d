import Foundation
import NIOCore
import S3Servers
import TransferCommon

extension S3Bucket {
    func get(_ call: S3Call) -> S3Reply {
        guard let object = objects[S3Key(call.key)] else { return .error(404, "NoSuchKey") }
        var reply = S3Reply()
        reply.headers = [
            ("Content-Length", String(object.bytes.readableBytes)), ("Last-Modified", Self.header(object.modified)),
        ]
        if rules.tellsETags { reply.headers.append(("ETag", object.etag)) }
        if rules.keepsMetadata || call.key.contains(".sluice/sessions/") {
            for (name, value) in object.metadata { reply.headers.append((name, value)) }
        }
        if let checksum = object.checksum {
            reply.headers += [("x-amz-checksum-sha256", checksum.value), ("x-amz-checksum-type", checksum.type)]
        }
        reply.body = object.bytes
        return reply
    }

    mutating func put(_ call: S3Call, _ request: ScriptedRequest) -> S3Reply {
        guard let (sha256, md5) = Self.digests(of: request.body) else { return .error(500, "InternalError") }
        if let objection = objection(to: request, sha256: sha256, md5: md5) { return objection }
        let hasChecksum = request.headers.keys.contains { $0 == "content-md5" || $0.hasPrefix("x-amz-checksum-") }
        if rules.wantsChecksum, !hasChecksum { return .error(400, "InvalidRequest") }
        if !rules.looksAtConditionsFirst, let refusal = refusal(of: request, rules.conditionalPut, key: call.key) {
            return refusal
        }
        let etag = rules.etags == .opaque ? "\"opaque-\(newNumber())\"" : "\"\(Self.hexadecimal(md5))\""
        var checksum: (value: String, type: String)?
        if rules.keepsSHA256, request.headers["x-amz-checksum-sha256"] != nil {
            checksum = (Self.base64(sha256), "FULL_OBJECT")
        }
        objects[S3Key(call.key)] = Object(
            bytes: ByteBuffer(bytes: request.body), etag: etag, metadata: Self.metadata(of: request), modified: now,
            checksum: checksum)
        return S3Reply(headers: [("ETag", etag)])
    }

    /// Writes an object as a program other than Sluice does.
    mutating func putForeign(_ key: String, _ bytes: [UInt8]) {
        objects[S3Key(key)] = Object(
            bytes: ByteBuffer(bytes: bytes), etag: "\"foreign-\(newNumber())\"", metadata: [:], modified: now,
            checksum: nil)
    }

    /// The refusal of a request because of a condition on a key; `nil` if the condition holds or is ignored.
    func refusal(of request: ScriptedRequest, _ condition: S3Rules.Condition, key: String) -> S3Reply? {
        let wantsAbsent = request.headers["if-none-match"] == "*"
        let wanted = request.headers["if-match"]
        guard wantsAbsent || wanted != nil else { return nil }
        let there = objects[S3Key(key)]
        switch condition {
        case .honoured:
            if wantsAbsent, there != nil { return .error(412, "PreconditionFailed") }
            guard let wanted else { return nil }
            guard let there else { return .error(404, "NoSuchKey") }
            return there.etag == wanted ? nil : .error(412, "PreconditionFailed")
        case .ignored: return nil
        case .refused: return .error(501, "NotImplemented", "A header you provided implies functionality")
        case .failing: return .error(500, "InternalError")
        }
    }

    func listObjects(_ call: S3Call) -> S3Reply {
        let prefix = call.query["prefix"] ?? ""
        let after = S3Key(call.query["start-after"] ?? "")
        let keys = objects.keys.filter { $0.hasPrefix(prefix) && $0 > after }.sorted()
        let page = keys.prefix(rules.pageCount)
        let isTruncated = keys.count > page.count
        let contents = page.map { key in
            var content = "<Contents><Key>\(Self.encoded(key.text))</Key>"
            if let object = objects[key] {
                content += "<LastModified>\(Self.xml(object.modified))</LastModified>"
                content += "<Size>\(object.bytes.readableBytes)</Size>"
            }
            return content + "</Contents>"
        }.joined()
        return .xml(
            "ListBucketResult",
            "<EncodingType>url</EncodingType><IsTruncated>\(isTruncated)</IsTruncated>\(contents)")
    }

    static func encoded(_ key: String) -> String {
        key.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(.init(charactersIn: "/-._~"))) ?? key
    }

    static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { String(256 + Int($0), radix: 16).dropFirst() }.joined()
    }
}
