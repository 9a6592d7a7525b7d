import NIOCore
import NIOHTTP1
import ObjectStore
import TransferCommon

extension S3Uploads {
    /// Makes an object out of the parts of an upload.
    ///
    /// - Parameter key: the whole key in the bucket.
    func complete(
        at key: String, upload: String, parts: [CompletedPart], size: UInt64, condition: PutCondition
    ) async throws(StoreError) -> StoredObject {
        var request = try request(.POST, at: key, upload: upload)
        request.isIdempotent = false
        request.isSlow = true
        request.headers.append(("content-type", "application/xml"))
        if bucket.provider.checksObjectSize { request.headers.append(("x-amz-mp-object-size", String(size))) }
        if let header = bucket.provider.completeConditions.header(condition) { request.headers.append(header) }
        let (sent, client, body) = (request, bucket.client, ByteBuffer(string: document(of: parts)))
        let response = try await withCommitment { (commitment) -> Result<S3Response, StoreError> in
            // After the commitment the request may reach the store, so only the store's answer shows whether the upload
            // is complete. A cancellation has no effect any more.
            guard commitment.commit() else { return .failure(StoreError(.cancelled)) }
            do throws(StoreError) {
                return .success(try await client.send(sent, body: body))
            } catch {
                return .failure(error.afterCondition(condition))
            }
        }
        guard let document = S3Documents.Completed(reading: response.body) else {
            throw StoreError(.outcomeUnknown, "The store's answer does not say whether the upload is complete.")
        }
        // If this request is the first to complete the upload, Ceph leaves the ETag in the answer's document empty.
        // Take the ETag of the header then.
        let etag = document.eTag.flatMap { $0.isEmpty ? nil : $0 } ?? response.headers.value("etag") ?? ""
        return StoredObject(
            evidence: evidence(of: parts, etag: etag, checksum: document.checksumSHA256), etag: etag,
            version: S3ObjectHeaders(headers: response.headers).version)
    }

    /// Checks, without asking the store, that the parts are numbered from 1 without a gap, that all except the last
    /// have one size, and that their sizes add up to `size`.
    static func check(_ parts: [CompletedPart], size: UInt64) throws(StoreError) {
        var sum: UInt64 = 0
        for (index, part) in parts.enumerated() {
            guard let number = PartNumber(UInt32(clamping: index + 1)) else { break }
            guard part.number == number else { throw StoreError(.partsInvalid([number])) }
            let isLast = index == parts.count - 1
            guard part.size == parts[0].size || (isLast && part.size < parts[0].size) else {
                throw StoreError(.partsInvalid([number]))
            }
            let (total, isTooMuch) = sum.addingReportingOverflow(part.size)
            guard !isTooMuch else { throw StoreError(.sizeMismatch) }
            sum = total
        }
        guard !parts.isEmpty else { throw StoreError(.partsInvalid([PartNumber(1)].compactMap { $0 })) }
        guard sum == size else { throw StoreError(.sizeMismatch) }
    }

    private func document(of parts: [CompletedPart]) -> String {
        var text = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        for part in parts {
            text += "<Part><PartNumber>\(part.number)</PartNumber><ETag>\(S3XML.escaped(part.etag))</ETag>"
            if bucket.provider.partChecksum.isSHA256 {
                text += "<ChecksumSHA256>\(S3ObjectHeaders.checksum(part.digest).value)</ChecksumSHA256>"
            }
            text += "</Part>"
        }
        return text + "</CompleteMultipartUpload>"
    }

    /// An MD5 counts only if the store also keeps metadata. Otherwise a later look-up of the object finds no part size,
    /// and without a part size the MD5 is no evidence.
    private func evidence(of parts: [CompletedPart], etag: String, checksum: String?) -> ContentEvidence {
        if bucket.provider.keepsSHA256, let checksum, let (root, _) = S3Digests.compositeSHA256(checksum) {
            return .root(root)
        }
        if bucket.provider.keepsCompositeMD5, bucket.provider.keepsMetadata,
            let (etag, count) = S3Digests.compositeMD5(etag: etag),
            count == UInt32(exactly: parts.count)
        {
            return .compositeMD5(etag)
        }
        return .none
    }
}
