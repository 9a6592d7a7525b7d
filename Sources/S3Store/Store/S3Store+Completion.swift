import NIOCore
import NIOHTTP1
package import ObjectStore
package import TransferCommon
import WireProtocol

extension S3Store {
    package func completeUpload(
        key: ObjectKey, upload: String, parts: [CompletedPart], size: UInt64, condition: PutCondition
    ) async throws(StoreError) -> ObjectReceipt {
        try Self.check(parts, size: size)
        do {
            return try await completeUpload(
                at: try writableKey(key), upload: upload, parts: parts, size: size, condition: condition)
        } catch {
            guard case .invalidParts = error.reason else { throw error }
            throw try await differing(parts, key: key, upload: upload, cause: error)
        }
    }

    /// - Parameter key: the whole key in the bucket.
    func completeUpload(
        at key: String, upload: String, parts: [CompletedPart], size: UInt64, condition: PutCondition
    ) async throws(StoreError) -> ObjectReceipt {
        var request = try request(.POST, at: key, upload: upload)
        request.isIdempotent = false
        request.isSlow = true
        request.headers.append(("content-type", "application/xml"))
        if provider.checksObjectSize { request.headers.append(("x-amz-mp-object-size", String(size))) }
        if let header = provider.completeConditions.header(condition) { request.headers.append(header) }
        let (sent, client, body) = (request, self.client, ByteBuffer(string: document(of: parts)))
        let response = try await withCommitment { (commitment) -> Result<S3Response, StoreError> in
            // From here on only the store's answer says whether the completion took effect.
            guard commitment.commit() else { return .failure(StoreError(.cancelled)) }
            do throws(StoreError) {
                return .success(try await client.send(sent, body: body))
            } catch {
                return .failure(error.afterCondition(condition))
            }
        }
        guard let document = S3XML.decode(S3Documents.Completed.self, from: response.body) else {
            throw StoreError(.outcomeUnknown, "The store's answer does not say whether the upload is complete.")
        }
        // Ceph's first answer has an empty ETag.
        let etag = document.eTag.flatMap { $0.isEmpty ? nil : $0 } ?? response.headers.value("etag")
        return ObjectReceipt(
            etag: etag, version: Self.version(of: response.headers),
            evidence: evidence(of: parts, etag: etag, checksum: document.checksumSHA256))
    }

    /// Checks a list of parts by rules that need no look at the store.
    private static func check(_ parts: [CompletedPart], size: UInt64) throws(StoreError) {
        var sum: UInt64 = 0
        for (index, part) in parts.enumerated() {
            guard let number = PartNumber(UInt32(clamping: index + 1)) else { break }
            // Name the missing part if the list has a gap.
            guard part.number == number else { throw StoreError(.invalidParts([number])) }
            let isLast = index == parts.count - 1
            guard part.size == parts[0].size || (isLast && part.size < parts[0].size) else {
                throw StoreError(.invalidParts([number]))
            }
            let (total, isTooMuch) = sum.addingReportingOverflow(part.size)
            guard !isTooMuch else { throw StoreError(.sizeMismatch) }
            sum = total
        }
        guard !parts.isEmpty else { throw StoreError(.invalidParts([PartNumber(1)].compactMap { $0 })) }
        guard sum == size else { throw StoreError(.sizeMismatch) }
    }

    private func document(of parts: [CompletedPart]) -> String {
        var text = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        for part in parts {
            text += "<Part><PartNumber>\(part.number)</PartNumber><ETag>\(S3XML.escaped(part.etag))</ETag>"
            if provider.keepsSHA256 {
                text += "<ChecksumSHA256>\(Self.checksumHeader(part.digest).value)</ChecksumSHA256>"
            }
            text += "</Part>"
        }
        return text + "</CompleteMultipartUpload>"
    }

    /// Finds the wrong parts by listing the stored ones, because the store does not name them.
    private func differing(
        _ parts: [CompletedPart], key: ObjectKey, upload: String, cause: StoreError
    ) async throws(StoreError) -> StoreError {
        var listed: [PartNumber: ListedPart] = [:]
        for part in try await allParts(key: key, upload: upload) { listed[part.number] = part }
        let wrong = parts.filter { part in
            guard let found = listed[part.number] else { return true }
            return found.size != part.size || bare(found.etag) != bare(part.etag)
        }
        // If all parts agree with the listing, the store's error is misleading, and no part can be relied on.
        return StoreError(.invalidParts((wrong.isEmpty ? parts : wrong).map(\.number)), cause: cause.cause)
    }

    /// The ETag without quotes: some stores quote it in one place and not in another.
    private func bare(_ etag: String) -> [UInt8] {
        etag.utf8.filter { $0 != UInt8(ascii: "\"") }
    }

    /// The evidence in the answer, if the object itself will later have the same evidence.
    private func evidence(of parts: [CompletedPart], etag: String?, checksum: String?) -> ObjectEvidence {
        guard let first = parts.first else { return .none }
        if provider.keepsSHA256, let checksum, let (root, count) = Self.compositeSHA256(checksum) {
            return .compositeSHA256(root: root, partBytes: first.size, partCount: count)
        }
        if provider.keepsCompositeMD5, provider.keepsMetadata,
            let (etag, count) = etag.flatMap({ Self.compositeMD5(etag: $0) }), count == UInt32(exactly: parts.count)
        {
            return .compositeMD5(etag: etag, partBytes: first.size)
        }
        return .none
    }
}
