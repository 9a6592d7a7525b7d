import Foundation
import NIOCore
import S3Servers
import TransferCommon
import WireProtocol

extension S3Bucket {
    mutating func create(_ call: S3Call, _ request: ScriptedRequest) -> S3Reply {
        let id = "upload-\(newNumber())-\(UUID().uuidString)"
        uploads[id] = Upload(
            key: S3Key(call.key), metadata: Self.metadata(of: request), begun: now,
            declaresSHA256: request.headers["x-amz-checksum-algorithm"] == "SHA256")
        return .xml("InitiateMultipartUploadResult", "<UploadId>\(id)</UploadId>")
    }

    mutating func uploadPart(_ call: S3Call, _ request: ScriptedRequest) -> S3Reply {
        guard let id = call.upload, uploads[id]?.key == S3Key(call.key) else { return .error(404, "NoSuchUpload") }
        guard let number = call.number, (1...rules.partsMax).contains(number) else {
            return .error(400, "InvalidArgument", "Part number must be an integer between 1 and \(rules.partsMax)")
        }
        guard let (sha256, md5) = Self.digests(of: request.body) else { return .error(500, "InternalError") }
        if let objection = objection(to: request, sha256: sha256, md5: md5) { return objection }
        let etag = rules.etags == .opaque ? "\"opaque-\(newNumber())\"" : "\"\(Self.hexadecimal(md5))\""
        let part = Part(
            bytes: ByteBuffer(bytes: request.body), etag: etag, md5: md5, sha256: sha256, modified: now)
        uploads[id]?.parts[number] = part
        return S3Reply(headers: [("ETag", etag)])
    }

    func listParts(_ call: S3Call) -> S3Reply {
        guard let upload = uploads[call.upload ?? ""], upload.key == S3Key(call.key) else {
            return .error(404, "NoSuchUpload")
        }
        let after = call.query["part-number-marker"].flatMap { Int($0) } ?? 0
        let numbers = upload.parts.keys.filter { $0 > after }.sorted()
        let page = numbers.prefix(rules.pageCount)
        var content = "<IsTruncated>\(numbers.count > page.count)</IsTruncated>"
        if let last = page.last { content += "<NextPartNumberMarker>\(last)</NextPartNumberMarker>" }
        for number in page {
            guard let part = upload.parts[number] else { continue }
            content += "<Part><PartNumber>\(number)</PartNumber><LastModified>\(Self.xml(part.modified))</LastModified>"
            content += "<ETag>\(listed(part.etag))</ETag><Size>\(part.bytes.readableBytes)</Size>"
            if rules.keepsSHA256, upload.declaresSHA256 {
                content += "<ChecksumSHA256>\(Self.base64(part.sha256))</ChecksumSHA256>"
            }
            content += "</Part>"
        }
        return .xml("ListPartsResult", content)
    }

    func listUploads(_ call: S3Call) -> S3Reply {
        let prefix = call.query["prefix"] ?? ""
        let marker = (S3Key(call.query["key-marker"] ?? ""), call.query["upload-id-marker"] ?? "")
        let found = uploads.filter { $0.value.key.hasPrefix(prefix) }
            .filter { marker.0.text.isEmpty || ($0.value.key, $0.key) > marker }
            .sorted { ($0.value.key, $0.key) < ($1.value.key, $1.key) }
        let page = found.prefix(rules.pageCount)
        var content = "<EncodingType>url</EncodingType><IsTruncated>\(found.count > page.count)</IsTruncated>"
        if let last = page.last {
            content += "<NextKeyMarker>\(Self.encoded(last.value.key.text))</NextKeyMarker>"
            content += "<NextUploadIdMarker>\(last.key)</NextUploadIdMarker>"
        }
        for (id, upload) in page {
            content += "<Upload><Key>\(Self.encoded(upload.key.text))</Key><UploadId>\(id)</UploadId>"
            content += "<Initiated>\(Self.xml(upload.begun))</Initiated></Upload>"
        }
        return .xml("ListMultipartUploadsResult", content)
    }

    // MARK: - Complete

    private struct Named {
        var number: Int
        var etag: String
        var sha256: String?
    }

    mutating func complete(_ call: S3Call, _ request: ScriptedRequest) -> S3Reply {
        let list = String(decoding: request.body, as: UTF8.self)
        guard let id = call.upload, let upload = uploads[id], upload.key == S3Key(call.key) else {
            guard let id = call.upload, let before = completions[id], rules.remembersCompletions else {
                return .error(404, "NoSuchUpload")
            }
            return before.list == list ? before.reply : .error(500, "InternalError")
        }
        let named = Self.named(in: list)
        if let refusal = refusal(of: named, upload) { return refusal }
        let parts = named.compactMap { upload.parts[$0.number] }
        let size = parts.reduce(0) { $0 + $1.bytes.readableBytes }
        if rules.checksObjectSize, let told = request.headers["x-amz-mp-object-size"], told != String(size) {
            return .error(400, "InvalidRequest", "The provided size does not match the object's")
        }
        if let refusal = refusal(of: request, rules.conditionalComplete, key: call.key) { return refusal }
        return join(parts, id: id, upload, list: list)
    }

    private mutating func join(_ parts: [Part], id: String, _ upload: Upload, list: String) -> S3Reply {
        var whole = ByteBuffer()
        for part in parts { whole.writeImmutableBuffer(part.bytes) }
        guard let md5s = Self.digests(of: parts.flatMap(\.md5)),
            let sha256s = Self.digests(of: parts.flatMap(\.sha256.bytes))
        else { return .error(500, "InternalError") }
        let etag = rules.etags == .md5 ? "\"\(Self.hexadecimal(md5s.md5))-\(parts.count)\"" : "\"own-\(newNumber())\""
        var checksum: (value: String, type: String)?
        if rules.keepsSHA256, upload.declaresSHA256 {
            checksum = ("\(Self.base64(sha256s.sha256))-\(parts.count)", "COMPOSITE")
        }
        objects[upload.key] = Object(
            bytes: whole, etag: etag, metadata: upload.metadata, modified: now, checksum: checksum)
        uploads[id] = nil
        var content = "<Key>\(Self.encoded(upload.key.text))</Key>"
        if let checksum { content += "<ChecksumSHA256>\(checksum.value)</ChecksumSHA256>" }
        let told = { (etag: String) in
            S3Reply.xml("CompleteMultipartUploadResult", content + "<ETag>\(etag)</ETag>")
        }
        completions[id] = (list, told(Self.escaped(etag)))
        return told(rules.completeTellsETag ? Self.escaped(etag) : "")
    }

    private func refusal(of named: [Named], _ upload: Upload) -> S3Reply? {
        guard !named.isEmpty else { return .error(400, "MalformedXML") }
        guard zip(named, named.dropFirst()).allSatisfy({ $0.number < $1.number }) else {
            return .error(400, "InvalidPartOrder")
        }
        if upload.declaresSHA256, rules.keepsSHA256, named.enumerated().contains(where: { $0 + 1 != $1.number }) {
            return .error(400, "InvalidPartOrder")
        }
        for one in named {
            guard let part = upload.parts[one.number], bare(part.etag) == bare(one.etag),
                one.sha256.map({ $0 == Self.base64(part.sha256) }) ?? true
            else { return .error(400, "InvalidPart") }
        }
        guard !rules.wantsAllParts || named.count == upload.parts.count else { return .error(400, "InvalidPart") }
        guard named.count <= rules.partsMax else { return .error(400, "InvalidArgument") }
        let sizes = named.compactMap { upload.parts[$0.number]?.bytes.readableBytes }
        guard sizes.dropLast().allSatisfy({ $0 >= rules.partBytesMin }) else { return .error(400, "EntityTooSmall") }
        guard !rules.wantsEqualParts || Set(sizes.dropLast()).count <= 1,
            !rules.wantsEqualParts
                || sizes.count < 2 || sizes[sizes.count - 1] <= sizes[0]
        else { return .error(400, "InvalidPart", "All non-trailing parts must have the same length.") }
        return nil
    }

    private static func named(in document: String) -> [Named] {
        document.components(separatedBy: "<Part>").dropFirst().compactMap { part in
            guard let number = content(of: "PartNumber", in: part).flatMap({ Int($0) }),
                let etag = content(of: "ETag", in: part)
            else { return nil }
            let plain = etag.replacingOccurrences(of: "&quot;", with: "\"").replacingOccurrences(of: "&amp;", with: "&")
            return Named(number: number, etag: plain, sha256: content(of: "ChecksumSHA256", in: part))
        }
    }

    private static func content(of element: String, in text: String) -> String? {
        guard let start = text.range(of: "<\(element)>"), let end = text.range(of: "</\(element)>") else { return nil }
        return String(text[start.upperBound..<end.lowerBound])
    }

    private func listed(_ etag: String) -> String { rules.listsBareETags ? bare(etag) : Self.escaped(etag) }

    private func bare(_ etag: String) -> String { etag.filter { $0 != "\"" } }

    private static func escaped(_ text: String) -> String { text.replacingOccurrences(of: "\"", with: "&quot;") }
}
