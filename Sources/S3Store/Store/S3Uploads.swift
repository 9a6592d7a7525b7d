import FoundationEssentials
import NIOHTTP1
import ObjectStore
import TransferCommon

/// Creates, lists and aborts the multipart uploads of a bucket. All keys are complete keys, including the store's
/// prefix.
struct S3Uploads: Sendable {
    let bucket: S3Bucket

    /// Begins an upload whose object gets this metadata.
    ///
    /// - Parameter key: the whole key in the bucket.
    func create(at key: String, metadata: ObjectMetadata) async throws(StoreError) -> CreatedUpload {
        var request = S3Request(.POST, key: key)
        request.query = [("uploads", "")]
        // If the client repeated the request, the store could create two uploads, and one of them would not be in any
        // record.
        request.isIdempotent = false
        request.headers = S3ObjectHeaders.fields(of: metadata)
        if bucket.provider.partChecksum.isSHA256 {
            request.headers += [("x-amz-checksum-algorithm", "SHA256"), ("x-amz-checksum-type", "COMPOSITE")]
        }
        let response = try await bucket.client.send(request)
        let created = S3Documents.Created(reading: response.body)
        guard let upload = created?.uploadId, Self.isUploadID(upload) else {
            throw StoreError(.outcomeUnknown, "The store began an upload and did not return its id.")
        }
        return CreatedUpload(
            id: upload, abortDate: response.headers.value("x-amz-abort-date").flatMap { S3Time.date(header: $0) },
            now: response.headers.value("date").flatMap { S3Time.date(header: $0) })
    }

    /// Uploads one part and returns its ETag.
    ///
    /// - Parameters:
    ///   - key: the whole key in the bucket.
    ///   - verifies: whether the gateway checks the digest itself.
    func uploadPart(
        at key: String, upload: String, number: PartNumber, body: ObjectBody, verifies: Bool
    ) async throws(StoreError) -> String {
        guard number.value <= bucket.provider.partsMax else { throw StoreError(.tooLarge) }
        var request = try self.request(.PUT, at: key, upload: upload)
        request.query.append(("partNumber", String(number.value)))
        let form = bucket.provider.partChecksum
        let body = try await bucket.withMD5(body, for: form)
        request.headers += S3ObjectHeaders.fields(of: form, digest: body.digest, md5: body.md5)
        let answer = try await bucket.send(request, body: body, verifies: verifies)
        // The damaged part needs no removal: it is not an object, and the agent replaces it when it sends the part
        // again.
        guard !answer.hasOtherMD5 else { throw S3Bucket.otherBytes }
        guard let etag = answer.response.headers.value("etag") else {
            throw StoreError(.unavailable, "The store took a part and did not return its ETag.")
        }
        return etag
    }

    /// One page of an upload's parts.
    ///
    /// - Parameter key: the whole key in the bucket.
    func parts(at key: String, upload: String, after: PartNumber?) async throws(StoreError) -> PartPage {
        var request = try self.request(.GET, at: key, upload: upload)
        // Some stores return 10,000 parts in one page. The gateway holds a page in memory, so it asks for less.
        request.query.append(("max-parts", "1000"))
        if let after { request.query.append(("part-number-marker", String(after.value))) }
        let response = try await bucket.client.send(request)
        guard let page = S3Documents.Parts(reading: response.body) else {
            throw StoreError(.damaged, "The store's list of parts cannot be read.")
        }
        var parts: [ListedPart] = []
        for part in page.parts { parts.append(try Self.part(part)) }
        // Some stores begin the next page with the part that the marker names.
        parts.removeAll { part in after.map { part.number <= $0 } ?? false }
        parts.sort { $0.number < $1.number }
        guard page.isTruncated else { return PartPage(parts: parts, next: nil) }
        let marker = page.nextPartNumberMarker.flatMap { UInt32($0) }.flatMap { PartNumber($0) }
        guard let next = max(marker, parts.last?.number), after.map({ next > $0 }) ?? true else {
            throw StoreError(.damaged, "The store's list of parts does not advance.")
        }
        return PartPage(parts: parts, next: next)
    }

    /// Aborts an upload and removes its parts.
    ///
    /// - Parameter key: the whole key in the bucket.
    func abort(at key: String, upload: String) async throws(StoreError) {
        _ = try await bucket.client.send(try request(.DELETE, at: key, upload: upload))
    }

    /// How a key in a listing relates to the keys that the caller wants.
    enum ListedKey {
        case wanted
        /// The caller does not want the key, but a wanted key may follow.
        case passedOver
        /// The key comes after all wanted keys, so the listing can end.
        case behind
    }

    /// The unfinished uploads of keys that begin with a prefix, the oldest first.
    ///
    /// - Parameter choose: says for each listed key whether the caller wants its uploads.
    func list(
        prefix: String, choosing choose: (String) -> ListedKey
    ) async throws(StoreError) -> [(key: String, summary: UploadSummary)] {
        var found: [(key: String, summary: UploadSummary)] = []
        var marker: (key: String, id: String)?
        for _ in 0..<Self.pagesMax {
            let page = try await uploadPage(prefix: prefix, after: marker)
            var lastKey: String?
            for upload in page.uploads {
                guard let key = upload.key else { continue }
                lastKey = key
                guard case .wanted = choose(key), let id = upload.uploadId, Self.isUploadID(id) else { continue }
                let created = upload.initiated.flatMap { S3Time.date(xml: $0) }
                found.append((key, UploadSummary(upload: id, created: created, session: nil)))
            }
            let isPast = lastKey.map { choose($0) == .behind } ?? false
            guard page.isTruncated, !isPast else {
                return found.sorted { UploadSummary.isOlder($0.summary, $1.summary) }
            }
            let nextKey = page.nextKeyMarker ?? lastKey
            let next = (key: nextKey ?? "", id: page.nextUploadIdMarker ?? "")
            if let marker, marker.key.hasSameBytes(as: next.key), marker.id.hasSameBytes(as: next.id) { break }
            marker = next
        }
        throw StoreError(.damaged, "The store's list of uploads does not end.")
    }

    private func uploadPage(
        prefix: String, after marker: (key: String, id: String)?
    ) async throws(StoreError) -> S3Documents.Uploads {
        let request = S3Request.page(of: "uploads", prefix: prefix, after: marker, idMarker: "upload-id-marker")
        let response = try await bucket.client.send(request)
        let page = S3Documents.Uploads(reading: response.body)
        guard let page else { throw StoreError(.damaged, "The store's list of uploads cannot be read.") }
        return page
    }

    private static let pagesMax = 100

    // MARK: - Details

    /// A request about an upload. Throws for an invalid upload id, because in a query it could change what the request
    /// means.
    func request(_ method: HTTPMethod, at key: String, upload: String) throws(StoreError) -> S3Request {
        guard Self.isUploadID(upload) else { throw StoreError(.uploadUnknown) }
        var request = S3Request(method, key: key)
        request.query = [("uploadId", upload)]
        return request
    }

    private static func isUploadID(_ text: String) -> Bool {
        (1...2048).contains(text.utf8.count) && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
            && !text.utf8.split(separator: ObjectKey.separator, omittingEmptySubsequences: false)
                .contains { $0.isDots }
    }

    private static func part(_ part: S3Documents.Parts.Part) throws(StoreError) -> ListedPart {
        guard let number = part.partNumber.flatMap({ UInt32($0) }).flatMap({ PartNumber($0) }),
            let size = part.size.flatMap({ UInt64($0) }), let etag = part.eTag, !etag.isEmpty
        else { throw StoreError(.damaged, "The store lists an invalid part.") }
        return ListedPart(
            number: number, size: size, etag: etag,
            digest: part.checksumSHA256.flatMap { S3Digests.sha256(base64: $0) },
            modified: part.lastModified.flatMap { S3Time.date(xml: $0) })
    }
}

/// A new upload, and the time at which the bucket removes it.
struct CreatedUpload: Sendable {
    var id: String
    /// The time at which a rule of the bucket removes the upload if it is not complete; `nil` if the store names none.
    var abortDate: Date?
    /// The store's time; `nil` if it does not report it.
    var now: Date?
}

private func max(_ left: PartNumber?, _ right: PartNumber?) -> PartNumber? {
    guard let left, let right else { return left ?? right }
    return Swift.max(left, right)
}
