import Cryptography
import NIOCore
import NIOHTTP1
import ObjectStore
import TransferCommon

/// A folder in the bucket that belongs to the gateways: the folder of session records, or the folder of probes.
struct S3Folder: Sendable {
    static let recordBytesMax = 64 << 10

    let bucket: S3Bucket
    /// The prefix of the keys in the folder, with a slash at its end.
    let path: String

    func write(_ name: String, bytes: [UInt8]) async throws(StoreError) {
        let key = try key(of: name)
        guard bytes.count <= Self.recordBytesMax else { throw StoreError(.tooLarge) }
        var request = S3Request(.PUT, key: key)
        request.headers.append(("content-type", "application/json"))
        let body = ByteBuffer(bytes: bytes)
        request.headers += try checksum(of: body)
        _ = try await bucket.client.send(request, body: body)
    }

    private func checksum(of body: ByteBuffer) throws(StoreError) -> [(name: String, value: String)] {
        let form = bucket.provider.putChecksum
        guard form != .none else { return [] }
        do {
            let digest = try SHA256Digest.of(body.readableBytesView)
            let md5 = form == .md5 ? S3Bucket.md5(of: body) : nil
            return S3ObjectHeaders.fields(of: form, digest: digest, md5: md5)
        } catch {
            throw StoreError.cryptographyFailed(error)
        }
    }

    func read(_ name: String) async throws(StoreError) -> StoredRecord? {
        let request = S3Request(.GET, key: try key(of: name))
        let response: S3Response
        do {
            response = try await bucket.client.send(request)
        } catch {
            guard error.isNotFound() || bucket.hides(error) else { throw error }
            return nil
        }
        let modified = response.headers.value("last-modified").flatMap { S3Time.date(header: $0) }
        return StoredRecord(bytes: response.body, modified: modified)
    }

    func delete(_ name: String) async throws(StoreError) {
        try await bucket.delete(key: try key(of: name))
    }

    /// One page of the names that begin with `prefix`. The page begins behind the name `after`.
    func names(prefix: String, after: String?) async throws(StoreError) -> RecordNamePage {
        var request = S3Request(.GET, key: nil)
        request.query = [("list-type", "2"), ("prefix", path + prefix), ("encoding-type", "url")]
        if let after { request.query.append(("start-after", path + after)) }
        let response = try await bucket.client.send(request)
        let page = S3Documents.Objects(reading: response.body)
        guard let page else { throw StoreError(.damaged, "The store's list of records cannot be read.") }
        let all = page.objects.filter { $0.key.utf8.starts(with: path.utf8) }.map { object in
            ListedRecord(
                name: String(decoding: object.key.utf8.dropFirst(path.utf8.count), as: UTF8.self),
                modified: object.lastModified.flatMap { S3Time.date(xml: $0) },
                size: object.size.flatMap { UInt64($0) })
        }
        // Skip objects that are not records: an entry for the folder itself, and objects of other programs.
        let records = all.filter { record in
            SessionRecord.isName(record.name)
                && after.map { $0.utf8.lexicographicallyPrecedes(record.name.utf8) } ?? true
        }
        guard page.isTruncated else { return RecordNamePage(records: records, next: nil) }
        guard let next = all.last?.name, after.map({ $0.utf8.lexicographicallyPrecedes(next.utf8) }) ?? true else {
            throw StoreError(.damaged, "The store's list of records does not advance.")
        }
        return RecordNamePage(records: records, next: next)
    }

    private func key(of name: String) throws(StoreError) -> String {
        guard SessionRecord.isName(name) else { throw StoreError(.keyUnsupported) }
        return path + name
    }
}
